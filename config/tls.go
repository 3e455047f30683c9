package config

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// Domain is a name that an ACME server gives a certificate for, in small letters.
type Domain string

var goodDomain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// UnmarshalText refuses what no certificate is given for.
func (d *Domain) UnmarshalText(text []byte) error {
	name := strings.ToLower(strings.TrimSpace(string(text)))
	if len(name) > 253 || !goodDomain.MatchString(name) {
		return errors.New("must be names such as clinic.example.org, separated by commas; no wildcards, and other letters than a to z as xn--…")
	}
	*d = Domain(name)
	return nil
}

// Directory is the address of an ACME server.
type Directory string

// UnmarshalText refuses an address that is not encrypted, where anybody on the way could give the certificate.
func (d *Directory) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("must be the https:// address of an ACME server's directory")
	}
	*d = Directory(text)
	return nil
}

// TLS tells whether this server speaks TLS itself.
func (c *Config) TLS() bool { return c.TLSCertFile != "" || len(c.TLSDomains) > 0 }

// checkTLS tells which values of TLS do not fit each other.
func (c *Config) checkTLS(known Errors) Errors {
	var errs Errors
	say := func(wrong bool, variable, message string) {
		if wrong && !known.names(variable) {
			errs = append(errs, variable+": "+message)
		}
	}
	say(c.TLSCertFile == "" && c.TLSKeyFile != "", "TLS_CERT_FILE", "required with TLS_KEY_FILE")
	say(c.TLSKeyFile == "" && c.TLSCertFile != "", "TLS_KEY_FILE", "required with TLS_CERT_FILE")
	say(c.TLSCertFile != "" && len(c.TLSDomains) > 0, "TLS_DOMAINS", "must not be set with TLS_CERT_FILE: the certificate comes from one of them")
	say(len(c.TLSDomains) > 0 && c.TLSCacheDir == "" && c.Database.Postgres != "", "TLS_CACHE_DIR",
		"required with TLS_DOMAINS and PostgreSQL; the folder that certificates are kept in")
	say(c.TLSRedirectPort != 0 && !c.TLS() && !known.names("TLS_DOMAINS"), "TLS_REDIRECT_PORT", "needs TLS_CERT_FILE or TLS_DOMAINS")
	say(c.TLSRedirectPort != 0 && c.TLSRedirectPort == c.Port, "TLS_REDIRECT_PORT", "must be another than PORT")
	return errs
}
