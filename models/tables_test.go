package models

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm/schema"

	"healthcare/docs"
)

// records are the schemas of the tables that events are about.
func records(t *testing.T) map[*schema.Schema]subject {
	t.Helper()
	found := map[*schema.Schema]subject{}
	for _, model := range Tables {
		s, err := schema.Parse(model, &sync.Map{}, schema.NamingStrategy{})
		require.NoError(t, err)
		row, ok := model.(subject)
		if !ok && s.LookUpField("deleted_at") != nil {
			t.Errorf("%s can be deleted, but has no subject(): copy the methods at the end of models/doctor.go, else its changes have no events", s.Name)
		}
		if ok {
			found[s] = row
		}
	}
	return found
}

func TestWhatBelongsToAPatientKeepsThePromises(t *testing.T) {
	for s, row := range records(t) {
		patient := s.LookUpField("patient_id")
		if patient == nil {
			continue
		}
		if !slices.ContainsFunc(belongings(), func(b table) bool { return reflect.TypeOf(b.model) == reflect.TypeOf(row) }) {
			t.Errorf("%s belongs to a patient, but would stay when the patient goes: add it to belongings() in models/belongs.go", s.Name)
		}
		for _, column := range []string{"owner_id", "deleted_at", "removed_with"} {
			if f := s.LookUpField(column); f == nil || f.Tag.Get("json") != "-" {
				t.Errorf("%s belongs to a patient, so it needs the column %s, hidden from clients with `json:\"-\"`, as in models/mapping.go", s.Name, column)
			}
		}
		one := reflect.New(s.ModelType)
		require.NoError(t, patient.Set(t.Context(), one.Elem(), int64(7)))
		if one.Interface().(subject).subject().PatientID != 7 {
			t.Errorf("%s belongs to a patient, so its subject() must tell PatientID, else its events are not in the patient's history", s.Name)
		}
		for _, index := range s.ParseIndexes() {
			if index.Class == "UNIQUE" && !survivesMerges(index, row) {
				t.Errorf("%s has the unique index %s, and merging two patients who both have a row of it would fail: let it have patient_id and one column "+
					"more that is `not null`, with where:deleted_at IS NULL, and let onceOf() name that column, as in models/mapping.go and assign.go", s.Name, index.Name)
			}
		}
	}
}

// survivesMerges tells whether a merge leaves out the rows that a unique index would refuse.
func survivesMerges(index *schema.Index, row subject) bool {
	others := slices.DeleteFunc(slices.Clone(index.Fields), func(o schema.IndexOption) bool { return o.DBName == "patient_id" })
	if len(others) == len(index.Fields) {
		return true // no row is another's double because of its patient
	}
	once, ok := row.(onceOf)
	return ok && len(others) == 1 && others[0].DBName == once.onceOf() && others[0].NotNull && index.Where == "deleted_at IS NULL"
}

func TestTheObjectsOfEventsAreDescribed(t *testing.T) {
	var description struct {
		Components struct {
			Schemas struct {
				AuditObject struct {
					Enum []string `json:"enum"`
				} `json:"AuditObject"`
			} `json:"schemas"`
		} `json:"components"`
	}
	asJSON, err := docs.OpenAPIJSON()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(asJSON, &description))
	described, names := description.Components.Schemas.AuditObject.Enum, map[string]string{}
	for s, row := range records(t) {
		object := row.subject().Object
		if !slices.Contains(described, object) {
			t.Errorf("the events of %s are of %q, which AuditObject in docs/openapi.yaml does not list", s.Name, object)
		}
		if names[object] != "" {
			t.Errorf("the events of %s and of %s are both of %q", s.Name, names[object], object)
		}
		names[object] = s.Name
	}
}

// kinds are those that a body's fields may have, see controllers/fields.go.
var kinds = []reflect.Kind{reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float64}

func isListOfObjects(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// checkEmpty is about what a field becomes that a client leaves empty.
func checkEmpty(t *testing.T, s *schema.Schema, f *schema.Field) {
	t.Helper()
	if f.DataType == schema.Time && f.FieldType == reflect.TypeFor[time.Time]() && f.Name != f.BindName() &&
		f.Tag.Get("default") == "" && f.Tag.Get("validate") == "" {
		t.Errorf("%s.%s would be the year 1 where a client leaves it out: give it validate:\"required\" or a default:, or make it a *time.Time", s.Name, f.Name)
	}
	if f.IndirectFieldType == typeDate && f.NotNull && !strings.HasPrefix(f.Tag.Get("validate"), "required") {
		t.Errorf("%s.%s would be null where a client leaves it empty, which `not null` refuses: give it validate:\"required\" or leave `not null` out", s.Name, f.Name)
	}
}

func TestFieldsThatClientsWriteAreOfKindsThatBodiesHold(t *testing.T) {
	for s := range records(t) {
		for _, f := range s.Fields {
			if f.Tag.Get("json") == "-" || f.DBName == "" {
				continue
			}
			if !slices.Contains(kinds, f.IndirectFieldType.Kind()) && !isListOfObjects(f.IndirectFieldType) && f.IndirectFieldType != reflect.TypeFor[time.Time]() {
				t.Errorf("%s.%s is a %s, which no body can hold: take a text, a number, a bool, a Date or a time.Time, or a pointer to one", s.Name, f.Name, f.FieldType)
			}
			checkEmpty(t, s, f)
			if _, given := f.Tag.Lookup("default"); given {
				_, err := fillerOf(s, f)
				assert.NoError(t, err)
			}
		}
		if !assert.NotPanics(t, func() { Validate(reflect.New(s.ModelType).Interface()) }) {
			t.Errorf("a `validate` tag of %s does not suit its field", s.Name)
		}
	}
}
