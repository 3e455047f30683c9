package controllers

import (
	"encoding/json"
	"errors"
	"reflect"

	"healthcare/apierror"
	"healthcare/models"
)

// readAliases lets a client call a field by the name in its tag `alias`: {"patient": 1} is {"patient_id": 1}, as DRF's
// serializers have it. An object or null by that name is what GET shows, and read-only. Who gives both must mean the same.
func readAliases[T any](b body) apierror.Fields {
	wrong := apierror.Fields{}
	for name, f := range models.JSONFields[T]() {
		alias := f.Tag.Get("alias")
		raw, given := b.fields[alias]
		if alias == "" || !given || raw[0] == '{' {
			continue
		}
		own, both := b.fields[name]
		if !both {
			b.fields[name], b.called[name] = raw, alias
			delete(b.fields, alias)
		} else if !sameValue(f, raw, own) {
			wrong.Add(alias, "This is not what "+name+" says. Send one of the two.")
		}
	}
	return wrong
}

// sameValue tells whether two texts stand for the same value of a field: "5" is 5. What cannot be read is told elsewhere.
func sameValue(f reflect.StructField, a, b json.RawMessage) bool {
	x, y := reflect.New(f.Type).Elem(), reflect.New(f.Type).Elem()
	return string(a) == "null" || set(x, f, a) == "" && (set(y, f, b) != "" || reflect.DeepEqual(x.Interface(), y.Interface()))
}

// asCalled tells what is wrong with a field under the name that the client used.
func (b body) asCalled(err error) error {
	var e *apierror.Error
	if errors.As(err, &e) {
		for name, alias := range b.called {
			if messages, ok := e.Fields[name]; ok {
				delete(e.Fields, name)
				e.Fields[alias] = messages
			}
		}
	}
	return err
}
