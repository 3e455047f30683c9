package accounts

import (
	"bytes"
	"errors"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"regexp"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

const forgotPath = "/api/auth/forgot/"

// received is a mail as the mail server got it.
type received struct {
	to, subject, text string
	header            mail.Header
}

// postOffice is a mail server.
type postOffice struct {
	t     testing.TB
	port  int
	mails chan received
	says  error // to every mail, if it is not nil
}

// postSession is one connection to a postOffice.
type postSession struct {
	office *postOffice
	to     string
}

func (s *postSession) Reset()                                    {}
func (s *postSession) Logout() error                             { return nil }
func (s *postSession) Mail(string, *smtp.MailOptions) error      { return s.office.says }
func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }

func (s *postSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	s.office.mails <- received{s.to, m.Header.Get("Subject"), string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))), m.Header}
	return err
}

// openPostOffice runs a mail server until the test ends.
func openPostOffice(t testing.TB) *postOffice {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := &postOffice{t: t, port: listener.Addr().(*net.TCPAddr).Port, mails: make(chan received, 100)}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &postSession{office: o}, nil }))
	server.Domain = "localhost"
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

// mails is an option: the server sends mails by this office.
func (o *postOffice) mailing(cfg *config.Config) {
	cfg.SMTP = config.SMTP{Host: "127.0.0.1", Port: o.port}
	cfg.PublicURL, cfg.MailFrom = "https://clinic.example.org", "Clinic <clinic@example.org>"
}

// next is the next mail.
func (o *postOffice) next() received {
	o.t.Helper()
	select {
	case m := <-o.mails:
		return m
	case <-time.After(kit.WaitLimit):
		require.Fail(o.t, "no mail came")
		return received{}
	}
}

// onBothWithMail runs a test on both databases, each with a mail server of its own.
func onBothWithMail(t *testing.T, test func(t *testing.T, api *kit.API, office *postOffice)) {
	t.Helper()
	t.Parallel()
	for name, fresh := range kit.Fresh {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			office := openPostOffice(t)
			cfg := kit.BaseConfig(fresh(t))
			office.mailing(cfg)
			test(t, kit.Start(t, cfg), office)
		})
	}
}

var linkIn = regexp.MustCompile(`https://clinic\.example\.org/accept#([A-Z2-7]{52})`)

func (m received) token(t testing.TB) string {
	t.Helper()
	found := linkIn.FindStringSubmatch(m.text)
	require.NotNil(t, found, m.text)
	return found[1]
}

func forgot(api *kit.API, email string) *kit.Response {
	api.T.Helper()
	return api.Nobody().Do("POST", forgotPath, kit.Object{"email": email}, "X-Forwarded-Host", "evil.example.org")
}

func TestInvitationsAndResetsAreMailed(t *testing.T) {
	onBothWithMail(t, func(t *testing.T, api *kit.API, office *postOffice) {
		boss := api.Staff("boss")
		r := boss.Post("/api/users/", kit.Object{"username": "cem", "email": "cem@example.org"}).Expect(http.StatusCreated)
		invitation := office.next()
		assert.Equal(t, "cem@example.org", invitation.to)
		assert.Equal(t, "Your account at the clinic", invitation.subject)
		assert.Contains(t, invitation.header.Get("From"), "<clinic@example.org>")
		assert.Contains(t, invitation.header.Get("Content-Type"), "text/plain")
		assert.Equal(t, tokenOf(r), invitation.token(t))
		assert.Equal(t, "https://clinic.example.org/accept#"+tokenOf(r), r.JSON["invitation"].(kit.Object)["link"])
		accept(api, invitation.token(t), kit.Password).Expect(http.StatusNoContent)

		boss.Post(kit.Path("users", r.ID())+"reset/", nil).Expect(http.StatusOK)
		reset := office.next()
		assert.Equal(t, "Choose a new password", reset.subject)
		accept(api, reset.token(t), kit.NewPassword).Expect(http.StatusNoContent)
		api.TryLogin("cem", kit.NewPassword).Expect(http.StatusOK)
		kit.Absent(t, api.Log.String(), invitation.token(t), reset.token(t), "cem@")
	})
}

func TestForgottenPasswordsTellNothing(t *testing.T) {
	onBothWithMail(t, func(t *testing.T, api *kit.API, office *postOffice) {
		boss, ana := api.Staff("boss"), api.User("ana")
		gone := api.User("gone")
		boss.Patch(gone.AccountPath(), kit.Object{"is_active": false}).Expect(http.StatusOK)
		session := ana.Session()
		var answers []string
		for _, email := range []string{"nobody@example.org", "gone@example.org", "ANA@example.org"} {
			answers = append(answers, forgot(api, email).Expect(http.StatusAccepted).Raw)
		}
		assert.Equal(t, []string{answers[0], answers[0], answers[0]}, answers)
		m := office.next() // they go out in turn, so the others got none
		assert.Equal(t, "ana@example.org", m.to)
		assert.Empty(t, office.mails)
		session.AssertIn()
		accept(api, m.token(t), kit.NewPassword).Expect(http.StatusNoContent)
		session.AssertAccessOut()
		api.TryLogin("ana", kit.NewPassword).Expect(http.StatusOK)
		for _, wrong := range []string{"", "ana", "a@b\r\nBcc: eve@example.org"} {
			assert.NotEmpty(t, forgot(api, wrong).Expect(http.StatusBadRequest).Error("email"), wrong)
		}
		kit.Absent(t, api.Log.String(), m.token(t), "ana@example.org", "nobody@example.org")
	})
}

func TestAnAccountGetsThreeMailsAnHour(t *testing.T) {
	onBothWithMail(t, func(t *testing.T, api *kit.API, office *postOffice) {
		boss, ana, eve := api.Staff("boss"), api.User("ana"), api.User("eve")
		byStaff := tokenOf(boss.Post(ana.AccountPath()+"reset/", nil).Expect(http.StatusOK))
		assert.Equal(t, byStaff, office.next().token(t))
		var tokens []string
		for range 5 {
			forgot(api, "ana@example.org").Expect(http.StatusAccepted)
		}
		forgot(api, "eve@example.org").Expect(http.StatusAccepted)
		for range 3 {
			m := office.next()
			assert.Equal(t, "ana@example.org", m.to)
			tokens = append(tokens, m.token(t))
		}
		assert.Equal(t, "eve@example.org", office.next().to)
		assertRefused(t, api, tokens[0]) // replaced
		assertRefused(t, api, tokens[1])

		// Another instance counts the same, and an hour later there is a mail again.
		there := kit.Start(t, api.Config)
		forgot(there, "ana@example.org").Expect(http.StatusAccepted)
		forgot(there, "eve@example.org").Expect(http.StatusAccepted)
		assert.Equal(t, "eve@example.org", office.next().to)
		api.Exec("UPDATE invitations SET created_at = " + kit.Ago(time.Hour+time.Minute))
		forgot(there, "ana@example.org").Expect(http.StatusAccepted)
		assert.Equal(t, "ana@example.org", office.next().to)
		accept(api, byStaff, kit.NewPassword).Expect(http.StatusNoContent) // no stranger has spoilt it
		eve.AssertIn()
	})
}

func TestWithoutAMailServerNobodyForgets(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		api.User("ana")
		forgot(api, "ana@example.org").Expect(http.StatusNotFound)
	})
}

func TestAMailServerThatRefusesHoldsNothingUp(t *testing.T) {
	onBothWithMail(t, func(t *testing.T, api *kit.API, office *postOffice) {
		office.says = errors.New("no such user cem@example.org")
		boss := api.Staff("boss")
		_, token := invite(boss, "cem")
		accept(api, token, kit.Password).Expect(http.StatusNoContent)
	})
}
