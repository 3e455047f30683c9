package controllers

import (
	"github.com/gin-gonic/gin"

	"healthcare/models"
)

// Users answers /api/users/, for staff.
type Users struct{ DB *models.DB }

// List answers GET /api/users/.
func (u Users) List(c *gin.Context) error { return list(c, u.DB.Users) }

// Retrieve answers GET /api/users/<id>/.
func (u Users) Retrieve(c *gin.Context) error { return retrieve(c, u.DB.User) }

// Update answers PATCH /api/users/<id>/.
func (u Users) Update(c *gin.Context) error {
	return update(c, bindGiven[models.User, models.Standing], u.DB.UpdateUser)
}

// Unlock answers POST /api/users/<id>/unlock/.
func (u Users) Unlock(c *gin.Context) error { return retrieve(c, u.DB.Unlock) }
