package config

import (
	"errors"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

// SMTP is SMTP_URL: the server that mails are handed to. Without a Host there is none.
type SMTP struct {
	Host           string
	Port           int
	TLS            bool // from the first byte on, as smtps://; else by STARTTLS
	User, Password string
}

// UnmarshalText reads smtp://user:password@host:587 or smtps://…. Its errors quote nothing.
func (s *SMTP) UnmarshalText(text []byte) error {
	u, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" {
		return errors.New("must be smtp://user:password@host:587 or smtps://user:password@host:465, the password with %40 for @ and so on")
	}
	*s = SMTP{Host: u.Hostname(), Port: 587, TLS: u.Scheme == "smtps", User: u.User.Username()}
	s.Password, _ = u.User.Password()
	if s.TLS {
		s.Port = 465
	}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return errors.New("must have a port from 1 to 65535")
		}
		s.Port = int(port)
	}
	return nil
}

// Loopback tells whether the server runs on this machine, where nobody listens in.
func (s SMTP) Loopback() bool {
	ip := net.ParseIP(s.Host)
	return s.Host == "localhost" || ip != nil && ip.IsLoopback()
}

// Mailbox is one address, perhaps with a name: clinic@example.org or Clinic <clinic@example.org>.
type Mailbox string

// UnmarshalText refuses what is not just one address.
func (m *Mailbox) UnmarshalText(text []byte) error {
	if _, err := mail.ParseAddress(string(text)); err != nil || strings.ContainsAny(string(text), "\r\n") {
		return errors.New("must be one address such as clinic@example.org or Clinic <clinic@example.org>")
	}
	*m = Mailbox(text)
	return nil
}

// PublicURL is where people reach this server: scheme, host and perhaps a port.
type PublicURL string

// UnmarshalText refuses what is more than an origin.
func (p *PublicURL) UnmarshalText(text []byte) error {
	var o Origin
	if err := o.UnmarshalText(text); err != nil {
		return errors.New("must be one address such as https://clinic.example.org, without a path")
	}
	*p = PublicURL(o)
	return nil
}
