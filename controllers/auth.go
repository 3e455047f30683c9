package controllers

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
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
		return &apierror.Error{Code: apierror.PermissionDenied, Detail: "Registration is closed. Ask the clinic's staff for an account."}
	}
	b, err := readBody(c)
	if err != nil {
		return err
	}
	user, err := a.DB.Register(c.Request.Context(), middleware.Actor(c), bindAll[models.User, models.Registration](b))
	if err != nil {
		return err
	}
	c.PureJSON(http.StatusCreated, gin.H{"message": "User registered successfully.", "user": user})
	return nil
}

// Login answers POST /api/auth/login/.
func (a Auth) Login(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	in, err := a.DB.Login(c.Request.Context(), middleware.Actor(c), bindAll[models.Credentials, models.Credentials](b))
	if err != nil {
		return err
	}
	return a.signedIn(c, in, gin.H{"user": in.User})
}

// Refresh answers POST /api/auth/refresh/.
func (a Auth) Refresh(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	in, err := a.DB.Refresh(c.Request.Context(), middleware.Actor(c), bindAll[models.RefreshRequest, models.RefreshRequest](b))
	if err != nil {
		return err
	}
	return a.signedIn(c, in, gin.H{})
}

// signedIn answers with a session's tokens, and with what more is given.
func (a Auth) signedIn(c *gin.Context, in *models.SignIn, more gin.H) error {
	access, err := a.Tokens.Issue(in)
	if err != nil {
		return err
	}
	more["access"], more["refresh"] = access, in.Refresh
	more["token_type"], more["expires_in"] = "Bearer", int(a.Config.AccessTokenTTL.Seconds())
	c.PureJSON(http.StatusOK, more)
	return nil
}

// Verify answers POST /api/auth/verify/.
func (a Auth) Verify(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	in, err := bindAll[models.Verification, models.Verification](b).Read()
	if err != nil {
		return err
	}
	if err := a.Tokens.Verify(c, in.Token); err != nil {
		return err
	}
	c.PureJSON(http.StatusOK, gin.H{})
	return nil
}

// Logout answers POST /api/auth/logout/.
func (a Auth) Logout(c *gin.Context) error {
	by := middleware.Actor(c)
	err := a.DB.EndSession(c.Request.Context(), by, by.SessionID)
	if err != nil && !errors.Is(err, apierror.ErrNotFound) { // another request has ended it meanwhile: as wished
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// Password answers POST /api/auth/password/.
func (a Auth) Password(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	bind := bindAll[models.PasswordChange, models.PasswordChange](b)
	if err := a.DB.ChangePassword(c.Request.Context(), middleware.Actor(c), bind); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// Accept answers POST /api/auth/accept/.
func (a Auth) Accept(c *gin.Context) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	if err := a.DB.Accept(c.Request.Context(), middleware.Actor(c), bindAll[models.Acceptance, models.Acceptance](b)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// Forgot answers POST /api/auth/forgot/, where the server sends mails.
func (a Auth) Forgot(c *gin.Context) error {
	if !a.DB.Mails() {
		return apierror.ErrNotFound
	}
	b, err := readBody(c)
	if err != nil {
		return err
	}
	if err := a.DB.ForgotPassword(middleware.Actor(c), bindAll[models.Forgotten, models.Forgotten](b)); err != nil {
		return err
	}
	c.PureJSON(http.StatusAccepted, gin.H{"message": "If there is an account with this address, it gets a mail."})
	return nil
}

// Sessions answers GET /api/auth/sessions/.
func (a Auth) Sessions(c *gin.Context) error { return list(c, a.DB.Sessions) }

// EndSession answers DELETE /api/auth/sessions/<id>/.
func (a Auth) EndSession(c *gin.Context) error { return destroy(c, a.DB.EndSession) }

// Me answers GET /api/auth/me/.
func (a Auth) Me(c *gin.Context) error {
	c.PureJSON(http.StatusOK, middleware.Actor(c).User)
	return nil
}

// UpdateMe answers PATCH /api/auth/me/.
func (a Auth) UpdateMe(c *gin.Context) error {
	return submit(c, http.StatusOK, bindGiven[models.User, models.ProfileFields], a.DB.UpdateProfile)
}
