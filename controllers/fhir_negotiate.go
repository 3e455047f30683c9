package controllers

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"healthcare/apierror"
	"healthcare/fhir"
)

// WantsJSON refuses a client that wants FHIR in another form than this server's: _format overrides Accept
// (http://hl7.org/fhir/R4/http.html#parameters).
func WantsJSON(c *gin.Context) error {
	if format := c.Query("_format"); format != "" {
		return acceptable(format)
	}
	return acceptable(strings.Join(c.Request.Header.Values("Accept"), ","))
}

func acceptable(wanted string) error {
	if wanted == "" {
		return nil
	}
	wanted = strings.ReplaceAll(wanted, "fhir json", "fhir+json") // a + that was not escaped
	for one := range strings.SplitSeq(wanted, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(one))
		weight, qerr := strconv.ParseFloat(params["q"], 64)
		if err != nil || params["q"] != "" && (qerr != nil || weight <= 0) || params["fhirversion"] != "" && params["fhirversion"] != "4.0" {
			continue
		}
		switch media {
		case "application/fhir+json", "application/json", "application/*", "*/*", "json", "text/json":
			return nil
		}
	}
	return &apierror.Error{Code: apierror.NotAcceptable, Detail: "This server speaks application/fhir+json of FHIR 4.0."}
}

// Metadata answers GET /fhir/metadata. The statement's date is when the server was put together: a new version may say
// something new.
func Metadata(since time.Time) func(*gin.Context) error {
	return func(c *gin.Context) error {
		return sendFHIR(c, http.StatusOK, fhir.Capability(fhirBase(c), fhir.Instant(since)))
	}
}

// NotSupported answers what FHIR has and this server does not.
func NotSupported(says string) func(*gin.Context) error {
	return func(*gin.Context) error { return fhir.Issues{{Code: "not-supported", Says: says}} }
}
