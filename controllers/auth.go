package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"healthcare/config"
	"healthcare/middleware"
	"healthcare/models"
)

// Auth answers /api/auth/.
type Auth struct {
	DB     *models.DB
	Config *config.Config
	Tokens *middleware.Tokens
}

// Register answers POST /api/auth/register/.
func (a Auth) Register(c *gin.Context) error {
	if a.Config.Registration == "closed" {
		return &models.Error{Code: models.PermissionDenied, Detail: "Registration is closed. Ask the clinic's staff for an account."}
	}
	b, err := readBody(c)
	if err != nil {
		return err
	}
	user, err := a.DB.Register(c.Request.Context(), middleware.Actor(c), whole[models.User, models.Registration](b))
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"message": "User registered successfully.", "user": user})
	return nil
}

// Login answers POST /api/auth/login/.
func (a Auth) Login(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	user, err := a.DB.Authenticate(c.Request.Context(), whole[models.Credentials, models.Credentials](b))
	if err != nil {
		return err
	}
	access, err := a.Tokens.Issue(user)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{
		"access": access, "token_type": "Bearer", "expires_in": int(a.Config.AccessTokenTTL.Seconds()), "user": user,
	})
	return nil
}

// Me answers GET /api/auth/me/.
func (a Auth) Me(c *gin.Context) error {
	c.JSON(http.StatusOK, middleware.Actor(c).User)
	return nil
}

// UpdateMe answers PATCH /api/auth/me/.
func (a Auth) UpdateMe(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	user, err := a.DB.UpdateProfile(c.Request.Context(), middleware.Actor(c), partial[models.User, models.ProfileFields](b))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, user)
	return nil
}
