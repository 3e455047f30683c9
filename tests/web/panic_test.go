package web

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"

	"healthcare/middleware"
)

func TestAPanicInTheMiddleOfAnAnswerIsAnErrorAndNothingOfTheAnswerIsSent(t *testing.T) {
	r := gin.New()
	r.Use(middleware.RequestID, middleware.Problems, middleware.LimitConcurrency(middleware.NewPlaces(1, 1)))
	r.GET("/panic", func(c *gin.Context) {
		_, _ = c.Writer.WriteString("half of an answer")
		panic("secret")
	})
	r.GET("/whole", func(c *gin.Context) { c.String(http.StatusOK, "whole") })
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		return w
	}
	for range 3 {
		w := get("/panic")
		assert.Equal(t, http.StatusInternalServerError, w.Code)
		assert.Contains(t, w.Body.String(), `"code":"error"`)
		assert.NotContains(t, w.Body.String(), "half")
		assert.NotContains(t, w.Body.String(), "secret")
		assert.Equal(t, "whole", get("/whole").Body.String(), "its place is free again")
	}
}
