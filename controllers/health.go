package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"healthcare/models"
)

// Health answers the probes.
type Health struct{ DB *models.DB }

// Live answers GET /healthz: the process runs.
func (Health) Live(c *gin.Context) error {
	c.PureJSON(http.StatusOK, gin.H{"status": "ok"})
	return nil
}

// Ready answers GET /readyz: the database answers too.
func (h Health) Ready(c *gin.Context) error {
	if err := h.DB.Ping(c.Request.Context()); err != nil {
		return err
	}
	c.PureJSON(http.StatusOK, gin.H{"status": "ok"})
	return nil
}
