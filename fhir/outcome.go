package fhir

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"healthcare/apierror"
)

// Issue is one thing that is wrong, or that was left out.
type Issue struct {
	Code string // of the value set issue-type
	At   string // a FHIRPath such as Patient.name[1]; "" for the whole
	Says string // for people
	// Refused tells valid FHIR that this server cannot take from what is no FHIR.
	Refused bool
}

// Issues are all that is wrong with a resource or a search.
type Issues []Issue //nolint:errname // FHIR's word

// Status is 400 for what is no FHIR, 422 for FHIR that cannot be taken (http://hl7.org/fhir/R4/http.html#create).
func (all Issues) Status() int {
	if slices.ContainsFunc(all, func(i Issue) bool { return !i.Refused }) {
		return http.StatusBadRequest
	}
	return http.StatusUnprocessableEntity
}

func (all Issues) Error() string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = one.Code + " " + one.At
	}
	return "fhir: " + strings.Join(texts, ", ")
}

// Err is nil as long as nothing is wrong.
func (all Issues) Err() error {
	if len(all) == 0 {
		return nil
	}
	return all
}

// Outcome is the OperationOutcome of issues, all of one severity: "error", "warning" or "information".
func Outcome(severity string, all Issues) Resource {
	issues := make([]Resource, len(all))
	for i, one := range all {
		issues[i] = Resource{{"severity", severity}, {"code", one.Code}, {"details", Resource{{"text", one.Says}}}}
		if one.At != "" {
			issues[i] = append(issues[i], Element{"expression", []string{one.At}})
		}
	}
	return Resource{{"resourceType", "OperationOutcome"}, {"issue", issues}}
}

// codes are the codes of issues by those of this API's errors.
var codes = map[apierror.Code]string{
	apierror.Invalid:              "invalid",
	apierror.ParseError:           "structure",
	apierror.NotAuthenticated:     "login",
	apierror.TokenNotValid:        "login",
	apierror.NoActiveAccount:      "login",
	apierror.InvalidToken:         "login",
	apierror.PermissionDenied:     "forbidden",
	apierror.NotFound:             "not-found",
	apierror.Gone:                 "deleted",
	apierror.MethodNotAllowed:     "not-supported",
	apierror.NotAcceptable:        "not-supported",
	apierror.Conflict:             "conflict",
	apierror.PossibleDuplicate:    "duplicate",
	apierror.PreconditionFailed:   "conflict",
	apierror.MultipleMatches:      "multiple-matches",
	apierror.KeyReused:            "conflict",
	apierror.RequestTooLarge:      "too-long",
	apierror.UnsupportedMediaType: "not-supported",
	apierror.Throttled:            "throttled",
	apierror.ServerError:          "exception",
	apierror.Unavailable:          "transient",
}

// OfError are the issues of an error of the API that no element is to blame for.
func OfError(e *apierror.Error) Issues {
	if len(e.Fields) == 0 {
		return Issues{{Code: codes[e.Code], Says: e.Detail}}
	}
	var all Issues
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		for _, message := range e.Fields[name] {
			all = append(all, Issue{Code: codes[e.Code], Says: name + ": " + message})
		}
	}
	return all
}

// index is a place in a list.
func index(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }
