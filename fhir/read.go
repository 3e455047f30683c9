package fhir

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"healthcare/apierror"
	"healthcare/models"
)

// Read is a resource that was sent, before it is known which row it becomes.
type Read[F any] struct {
	ID string // that it gives itself; "" if it gives none

	whole object
	wrong Issues
	bind  func(whole object, into *F) *input
	place map[string]string

	warnings Issues
	faults   Issues
}

// ReadPatient reads the body of a creation or an update.
func ReadPatient(raw []byte) (*Read[models.PatientFields], error) { return read(raw, &patients) }

// ReadPractitioner reads the body of a creation or an update.
func ReadPractitioner(raw []byte) (*Read[models.DoctorFields], error) {
	return read(raw, &practitioners)
}

func read[F, R any](raw []byte, t *table[F, R]) (*Read[F], error) {
	whole, wrong := parse(raw, t.name)
	if whole == nil {
		return nil, wrong
	}
	if whole["resourceType"] != t.name { // what else it lacks says nothing
		return nil, Issues{{Code: "invalid", Says: "This is no " + t.name + ": resourceType must be " + t.name + "."}}
	}
	id, _ := whole["id"].(string)
	r := &Read[F]{ID: id, whole: whole, wrong: wrong, place: t.places(), bind: t.read}
	if whole["id"] != nil && id == "" {
		r.wrong = append(r.wrong, Issue{Code: "value", At: t.name + ".id", Says: "This must be a text."})
	}
	return r, nil
}

// Bind puts the resource into the fields of /api; all that it does not say gets its default, and a text that came as it is
// shown stays as it is stored. The faults that it returns name the fields; Issues tells them in FHIR's words.
func (r *Read[F]) Bind() models.Bind[F] {
	return func(into *F) apierror.Fields {
		stored, fresh := *into, *new(F)
		in := r.bind(r.whole, &fresh)
		was, is := reflect.ValueOf(&stored).Elem(), reflect.ValueOf(&fresh).Elem()
		for i := range is.NumField() {
			if f := is.Field(i); f.Kind() == reflect.String && f.String() == shown(was.Field(i).String()) {
				f.Set(was.Field(i))
			}
		}
		*into = fresh
		r.faults, r.warnings = append(slices.Clone(r.wrong), in.wrong...), in.warnings
		errs := apierror.Fields{}
		if len(r.faults) > 0 {
			errs.Add(wholeResource, "It cannot be taken.")
		}
		return errs
	}
}

// wholeResource is the field under which a resource is refused that cannot be read.
const wholeResource = "resource"

// Warnings are what was left out.
func (r *Read[F]) Warnings() Issues { return r.warnings }

// Issues makes issues of an error of the models, each at the element of the field that it is about.
func (r *Read[F]) Issues(err error) error {
	var e *apierror.Error
	if !errors.As(err, &e) || e.Code != apierror.Invalid || len(e.Fields) == 0 {
		return err
	}
	all := slices.Clone(r.faults)
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		at := r.place[field]
		told := func(i Issue) bool {
			return i.At == at || strings.HasPrefix(i.At, at+".") || strings.HasPrefix(i.At, at+"[")
		}
		if field == wholeResource || slices.ContainsFunc(r.faults, told) {
			continue
		}
		for i, message := range e.Fields[field] {
			all = append(all, Issue{Code: issueCodes[e.Fields.Codes()[field][i]], At: at, Says: message, Refused: true})
		}
	}
	for i := range all {
		if all[i].Code == "" {
			all[i].Code = "business-rule"
		}
	}
	return all.Err()
}

// issueCodes are the codes of issues by the words of /api; all others are business rules.
var issueCodes = map[apierror.FieldCode]string{"required": "required", "blank": "required", "unique": "duplicate", "max_length": "too-long"}
