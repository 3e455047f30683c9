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

// Ready answers GET /readyz: the database answers too. The detail says what an operator must look at all the same.
func (h Health) Ready(c *gin.Context) error {
	if err := h.DB.Ping(c.Request.Context()); err != nil {
		return err
	}
	answer := gin.H{"status": "ok"}
	if problem := h.DB.AuditProblem(); problem != "" {
		answer["detail"] = problem
	}
	c.PureJSON(http.StatusOK, answer)
	return nil
}
