package middleware

import (
	"strconv"

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
			user := data.(*models.User)
			return ginjwt.MapClaims{"sub": strconv.FormatInt(user.ID, 10), "typ": kindOfToken}
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

// Issue signs an access token for a user.
func (t *Tokens) Issue(user *models.User) (string, error) {
	token, _, err := t.jwt.TokenGenerator(user)
	return token, err
}

// Require lets a request pass whose token is valid and whose account is active; Actor tells whose it is.
func (t *Tokens) Require() []gin.HandlerFunc {
	return []gin.HandlerFunc{t.jwt.MiddlewareFunc(), t.loadUser}
}

func (t *Tokens) loadUser(c *gin.Context) {
	claims := ginjwt.ExtractClaims(c)
	sub, _ := claims["sub"].(string)
	id, err := strconv.ParseInt(sub, 10, 64)
	if err != nil || claims["typ"] != kindOfToken {
		fail(c, errTokenNotValid)
		return
	}
	user, err := t.db.ActiveUser(c.Request.Context(), id)
	if err == models.ErrNotFound { //nolint:errorlint // our own, never wrapped
		err = &models.Error{Code: models.TokenNotValid, Detail: "User is inactive or does not exist."}
	}
	if err != nil {
		fail(c, err)
		return
	}
	actor := anonymous(c)
	actor.User = *user
	c.Set(actorKey, actor)
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
	return models.Actor{RequestID: RequestIDOf(c), Address: c.ClientIP()}
}
