package middleware

import (
	"crypto/rand"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	ginjwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/config"
	"healthcare/models"
)

// Tokens issues and checks the access tokens: HS256, from the Authorization header only.
type Tokens struct {
	jwt    *ginjwt.GinJWTMiddleware
	db     *models.DB
	clinic bool // see models.Actor

	mu    sync.RWMutex
	known map[string]identity // by the whole Authorization header
}

// identity is what a token was found to stand for. It holds until its time is over, and only as long as this instance
// has revoked nothing since.
type identity struct {
	user        models.User
	session     int64
	until       time.Time
	revocations int64
}

// What was revoked through another instance is refused after at most rememberFor; the contract allows 5 seconds.
const (
	rememberFor   = 3 * time.Second
	rememberMost  = 10_000 // tokens
	kindOfToken   = "access"
	authorization = "Authorization"
)

var (
	errNoCredentials = &apierror.Error{Code: apierror.NotAuthenticated, Detail: "Authentication credentials were not provided."}
	errTokenNotValid = &apierror.Error{Code: apierror.TokenNotValid, Detail: "Given token not valid for any token type"}
)

// NewTokens fails on a key that is too short to sign with.
func NewTokens(cfg *config.Config, db *models.DB) (*Tokens, error) {
	mw, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		SigningAlgorithm: "HS256",
		Key:              []byte(cfg.JWTSecret),
		Timeout:          cfg.AccessTokenTTL,
		TokenLookup:      "header:" + authorization,
		TokenHeadName:    "Bearer",
		PayloadFunc: func(data any) ginjwt.MapClaims {
			in := data.(*models.SignIn)
			return ginjwt.MapClaims{
				"sub": strconv.FormatInt(in.User.ID, 10), "sid": strconv.FormatInt(in.SessionID, 10),
				"typ": kindOfToken, "jti": rand.Text(), "opened": opened(&in.User),
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return &Tokens{jwt: mw, db: db, clinic: cfg.PatientAccess == "clinic", known: map[string]identity{}}, nil
}

// Issue signs an access token for a session.
func (t *Tokens) Issue(in *models.SignIn) (string, error) {
	token, _, err := t.jwt.TokenGenerator(in)
	return token, err
}

// Require lets a request pass whose token is valid, whose session goes on and whose account is active; Actor tells
// whose it is.
func (t *Tokens) Require(c *gin.Context) {
	header := c.GetHeader(authorization)
	t.mu.RLock()
	who, ok := t.known[header]
	t.mu.RUnlock()
	if !ok || who.revocations != t.db.Revocations() || time.Now().After(who.until) {
		var err error
		if who, err = t.authenticate(c); err != nil {
			fail(c, err)
			return
		}
		t.remember(header, who)
	}
	actor := anonymous(c)
	actor.User, actor.SessionID, actor.Clinic = who.user, who.session, t.clinic
	c.Set(actorKey, actor)
}

// authenticate checks the token of a request that is not remembered. The library's own middleware would choose status
// and text of what it refuses, so only its parser is used.
func (t *Tokens) authenticate(c *gin.Context) (identity, error) {
	claims, err := t.jwt.GetClaimsFromJWT(c)
	if errors.Is(err, ginjwt.ErrEmptyAuthHeader) {
		return identity{}, errNoCredentials
	}
	if err != nil {
		return identity{}, errTokenNotValid
	}
	return t.identify(c, claims)
}

func (t *Tokens) remember(header string, who identity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= rememberMost {
		clear(t.known)
	}
	t.known[header] = who
}

// Verify returns nil while Require would accept an access token.
func (t *Tokens) Verify(c *gin.Context, token string) error {
	parsed, err := t.jwt.ParseTokenString(token)
	if err != nil {
		return errTokenNotValid
	}
	_, err = t.identify(c, ginjwt.ExtractClaimsFromToken(parsed))
	return err
}

// identify finds the account and the session that a token's claims name.
func (t *Tokens) identify(c *gin.Context, claims ginjwt.MapClaims) (identity, error) {
	sub, _ := claims["sub"].(string)
	sid, _ := claims["sid"].(string)
	end, expires := expiry(claims)
	id, err := strconv.ParseInt(sub, 10, 64)
	session, serr := strconv.ParseInt(sid, 10, 64)
	if err != nil || serr != nil || !expires || claims["typ"] != kindOfToken {
		return identity{}, errTokenNotValid
	}
	who := identity{session: session, until: time.Now().Add(rememberFor), revocations: t.db.Revocations()}
	if end.Before(who.until) {
		who.until = end
	}
	user, err := t.db.SessionUser(c.Request.Context(), session, id)
	if errors.Is(err, apierror.ErrNotFound) {
		err = apierror.ErrSessionEnded
	}
	if at, told := claims["opened"]; err == nil && told && at != opened(user) { // earlier versions do not tell it
		err = apierror.ErrSessionEnded
	}
	who.user = *user
	return who, err
}

// opened is when an account was opened. A database that has lost its newest rows in a fail-over gives their numbers out
// again; by this, a token of a lost account is not taken for one of the account that has its number now.
func opened(u *models.User) string { return strconv.FormatInt(u.CreatedAt.UnixMicro(), 10) }

// expiry is the end of a token's time: whole seconds, as this server writes them, that are not over. The parser lets pass
// what has no end, and takes 0 for none.
func expiry(claims ginjwt.MapClaims) (end time.Time, ok bool) {
	const year10000 = 253402300800
	exp, ok := claims["exp"].(float64)
	if !ok || exp != math.Trunc(exp) || exp <= 0 || exp >= year10000 {
		return time.Time{}, false
	}
	end = time.Unix(int64(exp), 0)
	return end, time.Now().Before(end)
}

const actorKey = "actor"

// Actor is who asks: the account of the token, or nobody's where no token is required.
func Actor(c *gin.Context) models.Actor {
	if actor, ok := c.Get(actorKey); ok {
		return actor.(models.Actor)
	}
	return anonymous(c)
}

func anonymous(c *gin.Context) models.Actor {
	address := c.ClientIP()
	return models.Actor{
		RequestID: RequestIDOf(c), Address: address, Network: clientNetwork(address), UserAgent: userAgent(c.Request.UserAgent()),
		IfMatch: strings.Join(c.Request.Header.Values("If-Match"), ","),
	}
}

// userAgent keeps of a header what the database can store.
func userAgent(header string) string {
	const most = 255 // bytes
	return strings.ToValidUTF8(strings.ReplaceAll(header[:min(len(header), most)], "\x00", ""), "")
}
