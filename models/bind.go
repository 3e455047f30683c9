package models

import "healthcare/apierror"

// Change applies what a client sent to the fields of a row, and returns what is wrong with it already; the rest is
// checked afterwards, so that the client is told all at once. The map is never nil.
type Change[T any] func(*T) apierror.Fields

// apply runs a change and checks its outcome.
func (change Change[T]) apply(in *T) apierror.Fields {
	wrong := change(in)
	checkTags(wrong, in)
	return wrong
}

// Read is a change applied to an empty row, for bodies that no row is stored of.
func Read[T any](change Change[T]) (T, error) {
	var in T
	err := change.apply(&in).Err()
	return in, err
}

// checkTags adds what the `validate` tags of in refuse, for fields that nothing is known of yet.
func checkTags(wrong apierror.Fields, in any) {
	for field, messages := range Validate(in) {
		if wrong[field] == nil {
			wrong[field] = messages
		}
	}
}
