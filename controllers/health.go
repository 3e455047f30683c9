package controllers

import (
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/models"
)

// Health answers the probes.
type Health struct {
	DB       *models.DB
	Stopping *atomic.Bool // soon, it takes no more requests
}

// Live answers GET /healthz: the process runs.
func (Health) Live(c *gin.Context) error {
	c.PureJSON(http.StatusOK, gin.H{"status": "ok"})
	return nil
}

var errStopping = apierror.NewUnavailable(apierror.Stopping, 5, "This instance is stopping.")

// Ready answers GET /readyz: this instance can do its work, and will be there for it. The detail says what an operator must look at all the same.
func (h Health) Ready(c *gin.Context) error {
	if h.Stopping.Load() {
		return errStopping
	}
	if err := h.DB.Ready(c.Request.Context()); err != nil {
		return err
	}
	answer := gin.H{"status": "ok"}
	if problem := h.DB.AuditProblem(); problem != "" {
		answer["detail"] = problem
	}
	c.PureJSON(http.StatusOK, answer)
	return nil
}
