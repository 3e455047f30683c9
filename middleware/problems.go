// Package middleware holds what every request passes: identity, logs, limits, errors.
package middleware

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/fhir"
)

// problem is RFC 9457's problem document, with the code and the errors that DRF clients know.
type problem struct {
	Type       string                          `json:"type"`
	Title      string                          `json:"title"`
	Status     int                             `json:"status"`
	Detail     string                          `json:"detail"`
	Code       apierror.Code                   `json:"code"`
	Errors     apierror.Fields                 `json:"errors,omitempty"`
	ErrorCodes map[string][]apierror.FieldCode `json:"error_codes,omitempty"`
	// Candidates are of a possible duplicate.
	Candidates any `json:"candidates,omitempty"`
	// MergedInto is of a patient who was merged.
	MergedInto int64  `json:"merged_into,omitempty"`
	RequestID  string `json:"request_id"`
}

// Problems renders the error or the panic that ended a request, the only place that does. What is not known is
// noted for the log and answered with a fixed 500.
func Problems(c *gin.Context) {
	defer func() {
		if r := recover(); r != nil {
			if r == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(r)
			}
			// The value of a panic may hold personal data, unless the runtime made it.
			message := fmt.Sprintf("panic of type %T", r)
			if err, ok := r.(interface{ RuntimeError() }); ok {
				message = fmt.Sprint(err)
			}
			logError(c, message+"\n"+string(debug.Stack()))
			render(c, apierror.ErrServer)
		}
	}()
	c.Next()
	if len(c.Errors) == 0 || c.Writer.Written() {
		return
	}
	err := c.Errors.Last().Err
	var issues fhir.Issues
	if errors.As(err, &issues) {
		renderOutcome(c, issues.Status(), issues)
		return
	}
	var known *apierror.Error
	if !errors.As(err, &known) {
		logError(c, err.Error())
		known = apierror.ErrServer
	}
	render(c, known)
}

func render(c *gin.Context, e *apierror.Error) {
	if c.Writer.Written() {
		return
	}
	noteRefused(c, e)
	status := e.Status()
	header := c.Writer.Header()
	header.Del("Content-Encoding")
	if status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer") // RFC 6750, section 3
	}
	if e.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	if inFHIR(c) {
		renderOutcome(c, status, fhir.OfError(e))
		return
	}
	doc, err := json.Marshal(problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: e.Detail, Code: e.Code, Errors: e.Fields, ErrorCodes: e.Fields.Codes(), Candidates: e.Candidates, MergedInto: e.MergedInto,
		RequestID: RequestIDOf(c),
	})
	if err != nil { // of strings and numbers: cannot happen
		status, doc = http.StatusInternalServerError, nil
	}
	c.Data(status, "application/problem+json", append(doc, '\n')) // as all other JSON ends
}

// inFHIR tells whether a client speaks FHIR, and so wants an OperationOutcome.
func inFHIR(c *gin.Context) bool {
	return c.Request.URL.Path == "/fhir" || strings.HasPrefix(c.Request.URL.Path, "/fhir/")
}

func renderOutcome(c *gin.Context, status int, issues fhir.Issues) {
	doc, err := fhir.Outcome("error", issues).MarshalJSON()
	if err != nil { // of strings: cannot happen
		status, doc = http.StatusInternalServerError, nil
	}
	c.Data(status, fhir.ContentType, append(doc, '\n'))
}

// fail ends a request with an error.
func fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Abort()
}

// Handle makes a handler of a function that returns its error, which ends the request.
func Handle(h func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			fail(c, err)
		}
	}
}
