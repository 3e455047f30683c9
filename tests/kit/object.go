package kit

import (
	"fmt"
	"maps"
	"slices"
)

// Object is a JSON object.
type Object = map[string]any

// With is an object with some fields set anew: name, value, ….
func With(o Object, nameValues ...any) Object {
	changed := Merge(o)
	for i := 0; i < len(nameValues); i += 2 {
		changed[nameValues[i].(string)] = nameValues[i+1]
	}
	return changed
}

// Without is an object that lacks one field.
func Without(o Object, name string) Object {
	rest := Merge(o)
	delete(rest, name)
	return rest
}

// Merge is an object with the fields of all; the last one that has a field sets it.
func Merge(objects ...Object) Object {
	all := Object{}
	for _, o := range objects {
		maps.Copy(all, o)
	}
	return all
}

// Keys lists the names of an object's fields, sorted.
func Keys(o Object) []string {
	names := []string{}
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Path is a path of the API: Path("patients", 1) is /api/patients/1/.
func Path(parts ...any) string {
	text := "/api/"
	for _, p := range parts {
		text += fmt.Sprint(p, "/")
	}
	return text
}
