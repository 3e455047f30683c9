package middleware

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"

	ginjwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"healthcare/config"
	"healthcare/models"
)

// Tokens issues and checks the access tokens: HS256, from the Authorization header only.
type Tokens struct {
	jwt *ginjwt.GinJWTMiddleware
	db  *models.DB
}

const kindOfToken = "access"

var (
	errNoCredentials = &models.Error{Code: models.NotAuthenticated, Detail: "Authentication credentials were not provided."}
	errTokenNotValid = &models.Error{Code: models.TokenNotValid, Detail: "Given token not valid for any token type"}
)

// NewTokens fails on a key that is too short to sign with.
func NewTokens(cfg *config.Config, db *models.DB) (*Tokens, error) {
	mw, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		SigningAlgorithm: "HS256",
		Key:              []byte(cfg.JWTSecret),
		Timeout:          cfg.AccessTokenTTL,
		TokenLookup:      "header:Authorization",
		TokenHeadName:    "Bearer",
		PayloadFunc: func(data any) ginjwt.MapClaims {
			in := data.(*models.SignIn)
			return ginjwt.MapClaims{
				"sub": strconv.FormatInt(in.User.ID, 10), "sid": strconv.FormatInt(in.SessionID, 10),
				"typ": kindOfToken, "jti": rand.Text(),
			}
		},
		// The library would choose status and text; all that it reports becomes an error of the contract.
		HTTPStatusMessageFunc: func(_ error, c *gin.Context) string {
			if c.GetHeader("Authorization") == "" {
				fail(c, errNoCredentials)
			} else {
				fail(c, errTokenNotValid)
			}
			return ""
		},
		Unauthorized: func(*gin.Context, int, string) {},
	})
	if err != nil {
		return nil, err
	}
	return &Tokens{jwt: mw, db: db}, nil
}

// Issue signs an access token for a session.
func (t *Tokens) Issue(in *models.SignIn) (string, error) {
	token, _, err := t.jwt.TokenGenerator(in)
	return token, err
}

// Require lets a request pass whose token is valid, whose session goes on and whose account is active; Actor tells
// whose it is.
func (t *Tokens) Require() []gin.HandlerFunc {
	return []gin.HandlerFunc{t.jwt.MiddlewareFunc(), func(c *gin.Context) {
		actor, err := t.actor(c, ginjwt.ExtractClaims(c))
		if err != nil {
			fail(c, err)
			return
		}
		c.Set(actorKey, actor)
	}}
}

// Verify returns nil while Require would accept an access token.
func (t *Tokens) Verify(c *gin.Context, token string) error {
	parsed, err := t.jwt.ParseTokenString(token)
	if err != nil {
		return errTokenNotValid
	}
	claims := ginjwt.ExtractClaimsFromToken(parsed)
	if claims["exp"] == nil { // what is there, the parser has checked
		return errTokenNotValid
	}
	_, err = t.actor(c, claims)
	return err
}

// actor finds the account and the session that a token's claims name.
func (t *Tokens) actor(c *gin.Context, claims ginjwt.MapClaims) (models.Actor, error) {
	actor := anonymous(c)
	sub, _ := claims["sub"].(string)
	sid, _ := claims["sid"].(string)
	id, err := strconv.ParseInt(sub, 10, 64)
	session, serr := strconv.ParseInt(sid, 10, 64)
	if err != nil || serr != nil || claims["typ"] != kindOfToken {
		return actor, errTokenNotValid
	}
	user, err := t.db.SessionUser(c.Request.Context(), session, id)
	if errors.Is(err, models.ErrNotFound) {
		return actor, &models.Error{Code: models.TokenNotValid, Detail: "The session has ended or the account is disabled."}
	}
	actor.User, actor.SessionID = *user, session
	return actor, err
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
	}
}

// userAgent keeps of a header what the database can store.
func userAgent(header string) string {
	const most = 255 // bytes
	return strings.ToValidUTF8(strings.ReplaceAll(header[:min(len(header), most)], "\x00", ""), "")
}
