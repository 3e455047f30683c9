package models

import (
	"context"
	"net/url"
	"slices"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// read is how a client reads one row that it may see. It is audited if it is about a patient.
func read[T any, R interface {
	*T
	subject
}](ctx context.Context, db *DB, by Actor, id int64, visible scope) (R, error) {
	row := R(new(T))
	err := db.read.WithContext(ctx).Scopes(visible).Take(row, id).Error
	about := row.subject()
	if about.ID = id; !about.aboutPatient() {
		return row, apierror.FromDatabase(err)
	}
	return row, db.audit(by.event(now(), ActionRead, about), err)
}

// list is how a client lists rows that it may see. The audit trail tells which patients the page showed.
func list[T any, R interface {
	*T
	subject
}](ctx context.Context, db *DB, by Actor, of listing.List, values url.Values, visible scope) (*listing.Page[T], error) {
	var page *listing.Page[T]
	err := db.readList(ctx, by, values, func(q *gorm.DB, client listing.Client) (err error) {
		page, err = listing.Find[T](q, of, values, client, visible)
		return err
	})
	return auditPage[T, R](db, by, page, err)
}

// auditPage audits a page that is about to be shown.
func auditPage[T any, R interface {
	*T
	subject
}](db *DB, by Actor, page *listing.Page[T], err error) (*listing.Page[T], error) {
	about := R(new(T)).subject()
	if err != nil || !about.aboutPatient() {
		return page, err
	}
	return page, db.auditList(by, about.Object, shownIn[T, R](page.Results))
}

// shownIn are the patients whose data rows are.
func shownIn[T any, R interface {
	*T
	subject
}](rows []T) IDs {
	shown := IDs{}
	for i := range rows {
		if patient := R(&rows[i]).subject().patient(); patient != 0 && !slices.Contains(shown, patient) {
			shown = append(shown, patient)
		}
	}
	return shown
}
