package kit

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/apierror"
	"healthcare/config"
	"healthcare/models"
)

// Passwords of accounts.
const (
	Password    = "correct horse battery"
	NewPassword = "another horse altogether"
)

// JWTSecret is the secret of every instance.
const JWTSecret = "a-secret-that-only-the-tests-use-0123456789"

// AuditKey seals the audit trail of every instance.
const AuditKey = "a-key-that-only-the-tests-seal-with-9876543210"

// Paths of one's own account.
const (
	RegisterPath = "/api/auth/register/"
	LoginPath    = "/api/auth/login/"
	MePath       = "/api/auth/me/"
)

// Somebody is a registration.
var Somebody = Object{"username": "ana", "email": "ana@example.org", "password": Password, "first_name": "Ana", "last_name": "Öz"}

// BehindProxy is an option: the tests themselves are a trusted proxy.
func BehindProxy(cfg *config.Config) {
	cfg.TrustedProxies = []config.Network{{Prefix: netip.MustParsePrefix("127.0.0.1/32")}}
}

// WithMail is an option: the server takes mails, for a mail server that is not there.
func WithMail(cfg *config.Config) {
	cfg.SMTP = config.SMTP{Host: "127.0.0.1", Port: 1}
	cfg.PublicURL, cfg.MailFrom = "https://clinic.example.org", "clinic@example.org"
}

// Session is a client that knows its refresh token.
type Session struct {
	*Client
	Refresh string
}

// TryLogin asks for a session; headers are name, value, ….
func (api *API) TryLogin(name, password string, headers ...string) *Response {
	api.T.Helper()
	return api.Nobody().Do("POST", LoginPath, Object{"username": name, "password": password}, headers...)
}

// TryRefresh presents a refresh token.
func (api *API) TryRefresh(token string) *Response {
	api.T.Helper()
	return api.Nobody().Post("/api/auth/refresh/", Object{"refresh": token})
}

// Session opens one more session of the client's account; headers are name, value, ….
func (c *Client) Session(headers ...string) *Session {
	c.T.Helper()
	r := c.API.TryLogin(c.Name, Password, headers...).Expect(http.StatusOK)
	other := *c
	other.Token = r.JSON["access"].(string)
	return &Session{&other, r.JSON["refresh"].(string)}
}

// AccountPath is the path of a client's account for staff.
func (c *Client) AccountPath() string { return Path("users", c.ID) }

// ChangePassword asks for a new password.
func (c *Client) ChangePassword(current, wanted string) *Response {
	c.T.Helper()
	return c.Post("/api/auth/password/", Object{"current_password": current, "new_password": wanted})
}

// VerifyToken asks whether an access token is good.
func (c *Client) VerifyToken(token string) *Response {
	c.T.Helper()
	return c.API.Nobody().Post("/api/auth/verify/", Object{"token": token})
}

// AssertIn asserts that the client's access token is good.
func (c *Client) AssertIn() {
	c.T.Helper()
	assert.Equal(c.T, http.StatusOK, c.Get(MePath).Status)
	assert.Equal(c.T, http.StatusOK, c.VerifyToken(c.Token).Status)
}

// AssertOut asserts that neither of a session's tokens is good for anything.
func (s *Session) AssertOut() {
	s.T.Helper()
	s.AssertAccessOut()
	r := s.API.TryRefresh(s.Refresh)
	assert.Equal(s.T, http.StatusUnauthorized, r.Status)
	assert.Equal(s.T, "token_not_valid", r.JSON["code"])
}

// AssertAccessOut asserts that a session's access token is good for nothing.
func (s *Session) AssertAccessOut() {
	s.T.Helper()
	for _, r := range []*Response{s.Get(MePath), s.VerifyToken(s.Token)} {
		assert.Equal(s.T, http.StatusUnauthorized, r.Status, r.Raw)
		assert.Equal(s.T, "token_not_valid", r.JSON["code"])
	}
}

// FailLogins makes n failed logins in turn, of which the last n-5 meet the lock.
func (api *API) FailLogins(n int, name string, headers ...string) {
	api.T.Helper()
	for i := range n {
		want := http.StatusUnauthorized
		if i >= 5 {
			want = http.StatusTooManyRequests
		}
		api.TryLogin(name, "a wrong guess", headers...).Expect(want)
	}
}

// InsertFailures puts n failed logins into the database, a second apart, each from another address.
func (api *API) InsertFailures(n int, account string, newest time.Duration) {
	api.T.Helper()
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("('%s', '198.51.100.%d', %s)", account, i, Ago(newest+time.Duration(i)*time.Second))
	}
	api.Exec("INSERT INTO login_failures (account, network, at) VALUES " + strings.Join(rows, ", "))
}

// Failures counts the failed logins in the database.
func (api *API) Failures() int {
	api.T.Helper()
	return api.Count("SELECT count(*) FROM login_failures")
}

// CreateAdmin makes a staff account without a request.
func CreateAdmin(t testing.TB, db *models.DB, name string) *models.User {
	t.Helper()
	user, err := db.CreateAdmin(t.Context(), models.Registration{Password: Password, UserFields: models.UserFields{
		Username: name, ProfileFields: models.ProfileFields{Email: name + "@example.org"},
	}})
	require.NoError(t, err)
	return user
}

// SignIn logs in without a request.
func SignIn(ctx context.Context, db *models.DB, actor models.Actor, name, password string) (*models.SignIn, error) {
	return db.Login(ctx, actor, func(in *models.Credentials) apierror.Fields {
		*in = models.Credentials{Username: name, Password: password}
		return apierror.Fields{}
	})
}
