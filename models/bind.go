package models

import (
	"reflect"
	"sync"

	"healthcare/apierror"
)

// Bind puts what a client sent into a struct, and returns the fields that cannot be understood. The map is never nil.
type Bind[T any] func(*T) apierror.Fields

// Validated binds to in, and adds what the `validate` tags refuse, so that the client is told all at once.
func (bind Bind[T]) Validated(in *T) apierror.Fields {
	errs := bind(in)
	for field, messages := range Validate(in) {
		if errs[field] == nil {
			errs[field] = messages
		}
	}
	return errs
}

// Read binds to an empty struct, for bodies of which no row is stored.
func (bind Bind[T]) Read() (T, error) {
	var in T
	err := bind.Validated(&in).Err()
	return in, err
}

// JSONFields maps the JSON names of a struct's fields, those of embedded structs included.
func JSONFields[T any]() map[string]reflect.StructField {
	t := reflect.TypeFor[T]()
	if fields, ok := jsonFields.Load(t); ok {
		return fields.(map[string]reflect.StructField)
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("json"); name != "" && name != "-" {
			fields[name] = f
		}
	}
	jsonFields.Store(t, fields)
	return fields
}

var jsonFields sync.Map // by type, because reflection takes long
