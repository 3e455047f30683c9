package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/middleware"
	"healthcare/models"
)

// Users answers /api/users/, for staff.
type Users struct{ DB *models.DB }

// List answers GET /api/users/.
func (u Users) List(c *gin.Context) error { return list(c, u.DB.Users) }

// Invite answers POST /api/users/. What it answers is shown once, so that no Idempotency-Key can have it repeated.
func (u Users) Invite(c *gin.Context) error {
	if middleware.Actor(c).IsStaff && c.GetHeader("Idempotency-Key") != "" {
		return apierror.Fields{"Idempotency-Key": {"This request cannot be repeated: its answer holds a token that is shown once."}}.Err()
	}
	return submit(c, http.StatusCreated, bindAll[models.User, models.UserFields], u.DB.Invite)
}

// Reset answers POST /api/users/<id>/reset/.
func (u Users) Reset(c *gin.Context) error { return retrieve(c, u.DB.ResetPassword) }

// Retrieve answers GET /api/users/<id>/.
func (u Users) Retrieve(c *gin.Context) error { return retrieve(c, u.DB.User) }

// Update answers PATCH /api/users/<id>/.
func (u Users) Update(c *gin.Context) error {
	return update(c, bindGiven[models.User, models.Standing], u.DB.UpdateUser)
}

// Unlock answers POST /api/users/<id>/unlock/.
func (u Users) Unlock(c *gin.Context) error { return retrieve(c, u.DB.Unlock) }
