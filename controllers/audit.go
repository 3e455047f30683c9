package controllers

import (
	"github.com/gin-gonic/gin"

	"healthcare/models"
)

// Audit answers /api/audit/, for staff.
type Audit struct{ DB *models.DB }

// List answers GET /api/audit/.
func (a Audit) List(c *gin.Context) error { return list(c, a.DB.Audit) }
