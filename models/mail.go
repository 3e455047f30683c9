package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wneessen/go-mail"

	"healthcare/apierror"
	"healthcare/config"
)

// mails sends mails one after another, off the path of the requests that cause them. What waits is in memory alone: the
// end of the process loses it, and the person or the staff ask again.
type mails struct {
	smtp config.SMTP
	from string

	mu     sync.Mutex
	closed bool
	queue  chan func(context.Context) error
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

const (
	mailQueue     = 500
	mailLimit     = 20 * time.Second // of one mail
	mailLastLimit = 3 * time.Second  // of all that wait when the server stops
)

func newMails(cfg *config.Config) *mails {
	m := &mails{smtp: cfg.SMTP, from: string(cfg.MailFrom), queue: make(chan func(context.Context) error, mailQueue), done: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	go m.run()
	return m
}

func (m *mails) run() {
	defer close(m.done)
	for job := range m.queue {
		ctx, cancel := context.WithTimeout(m.ctx, mailLimit)
		if err := job(ctx); err != nil {
			slog.Error("a mail was not sent", "error", reason(err))
		}
		cancel()
	}
}

// reason is what may be logged of an error: the server's answer may quote an address.
func reason(err error) string {
	var failed *mail.SendError
	switch {
	case errors.As(err, &failed):
		return fmt.Sprintf("the mail server refused it (%s)", failed.Reason)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "the mail server took too long"
	}
	return "the mail server or the database cannot be reached, or refused the password"
}

// add queues a job, or fails at once.
func (m *mails) add(job func(context.Context) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		select {
		case m.queue <- job:
			return nil
		default:
		}
	}
	return apierror.NewUnavailable(apierror.Shed, 60, "Too many mails wait to be sent. Try again soon.")
}

// close sends what waits, for a short while.
func (m *mails) close() {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.queue)
	}
	m.mu.Unlock()
	limit := time.AfterFunc(mailLastLimit, m.cancel)
	<-m.done
	limit.Stop()
	m.cancel()
}

// letter is a mail in plain text.
type letter struct{ subject, text string }

// send hands a mail to the server.
func (m *mails) send(ctx context.Context, to *User, l letter) error {
	msg := mail.NewMsg()
	if err := msg.From(m.from); err != nil {
		return err
	}
	if err := msg.AddTo(to.Email); err != nil {
		return err
	}
	msg.Subject(l.subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetBodyString(mail.TypeTextPlain, l.text)
	client, err := mail.NewClient(m.smtp.Host, m.options()...)
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, msg)
}

// options ask for TLS, but on this machine, where nobody listens in.
func (m *mails) options() []mail.Option {
	o := []mail.Option{mail.WithPort(m.smtp.Port), mail.WithTimeout(mailLimit), mail.WithTLSPolicy(mail.TLSMandatory)}
	auth := mail.SMTPAuthAutoDiscover
	if m.smtp.TLS {
		o = append(o, mail.WithSSL())
	} else if m.smtp.Loopback() {
		o = append(o, mail.WithTLSPolicy(mail.NoTLS))
		auth = mail.SMTPAuthPlainNoEnc
	}
	if m.smtp.User != "" {
		o = append(o, mail.WithSMTPAuth(auth), mail.WithUsername(m.smtp.User), mail.WithPassword(m.smtp.Password))
	}
	return o
}

// mailTicket mails the link of a token, if this server sends mails. Whoever asked for it has the token in any case.
func (db *DB) mailTicket(to *User, ticket Ticket, write func(*User, Ticket) letter) {
	if db.mails == nil {
		return
	}
	u := *to
	if err := db.mails.add(func(ctx context.Context) error { return db.mails.send(ctx, &u, write(&u, ticket)) }); err != nil {
		slog.Error("a mail was not sent", "error", "too many wait")
	}
}

const linkText = `Open this link to choose a password. It can be used once, until %s (UTC):

%s
`

func link(t Ticket) string {
	return fmt.Sprintf(linkText, t.ExpiresAt.Format("2 January 2006 15:04"), *t.Link)
}

func invitationMail(u *User, t Ticket) letter {
	return letter{"Your account at the clinic", fmt.Sprintf("Hello,\n\nthe clinic has opened an account for you. Your user name is: %s\n\n%s", u.Username, link(t))}
}

func resetMail(u *User, t Ticket) letter {
	return letter{"Choose a new password", fmt.Sprintf("Hello,\n\nthe clinic's staff want to let you choose a new password. Your user name is: %s\n\n%s", u.Username, link(t))}
}

func forgotMail(u *User, t Ticket) letter {
	return letter{"Choose a new password", fmt.Sprintf("Hello,\n\nsomebody asked for a new password for your account %s. If that was not you, do nothing: "+
		"your password stays as it is.\n\n%s", u.Username, link(t))}
}
