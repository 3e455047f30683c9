package models

import (
	"context"
	"iter"
	"net/url"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// PatientReport is all that is known of one patient, as the patient has a right to get it (GDPR, article 15). Its lists
// are read while they are gone through, because they may be long; if that fails they end, and Err tells why.
type PatientReport struct {
	MadeAt      time.Time                    `json:"made_at"`
	Patient     *Patient                     `json:"patient"`
	Merged      []Patient                    `json:"merged"` // the records that were merged into it
	DeletedAt   *time.Time                   `json:"deleted_at"`
	SeenSince   *time.Time                   `json:"seen_since,omitempty"` // who saw it before is in an archive
	Assignments iter.Seq[ReportedAssignment] `json:"-"`
	History     iter.Seq[HistoryEntry]       `json:"-"`
	SeenBy      iter.Seq[Access]             `json:"-"`

	failed error
}

// Err is why a list of the report has ended early.
func (r *PatientReport) Err() error { return r.failed }

// ReportedAssignment is an assignment of a patient, also a former one.
type ReportedAssignment struct {
	ID         int64      `json:"id"`
	Doctor     DoctorName `json:"doctor" gorm:"embedded;embeddedPrefix:the_doctor_"`
	AssignedAt time.Time  `json:"assigned_at"`
	RemovedAt  *time.Time `json:"removed_at"`
}

// Access tells that an account saw a patient's data.
type Access struct {
	At     time.Time `json:"at"`
	By     UserName  `json:"by" gorm:"embedded;embeddedPrefix:by_"`
	Action string    `json:"action"`
}

var assignmentsEver = listing.List{
	Table: "mappings",
	Columns: "mappings.id, mappings.created_at AS assigned_at, mappings.deleted_at AS removed_at," +
		" doctors.id AS the_doctor_id, doctors.name AS the_doctor_name, doctors.specialization AS the_doctor_specialization",
	Joins:  "JOIN doctors ON doctors.id = mappings.doctor_id",
	Newest: "mappings.created_at",
}

var accessList = listing.List{
	Table:   "events",
	Columns: "events.at, events.action, " + byColumns,
	Joins:   auditList.Joins,
	Newest:  auditList.Newest,
}

// PatientReport reports on a patient that the actor may see; for staff, also on a deleted one. The report is an event of
// its own, stored before anything is shown.
func (db *DB) PatientReport(ctx context.Context, by Actor, id int64) (*PatientReport, error) {
	p, about := &Patient{}, Subject{Object: objectPatient, ID: id}
	if err := db.read.WithContext(ctx).Scopes(by.owns("created_by"), by.seesDeleted).Take(p, id).Error; err != nil {
		return nil, db.audit(by.event(now(), ActionExport, about), err)
	}
	if err := db.recorder.flush(ctx); err != nil { // what this instance has shown so far is in the report
		return nil, err
	}
	if err := db.auditExport(ctx, by, about, nil); err != nil {
		return nil, err
	}
	read := db.read.WithContext(ctx)
	all, err := allOf(read, id)
	if err != nil {
		return nil, apierror.FromDatabase(err)
	}
	r := &PatientReport{MadeAt: now(), Patient: p, Merged: []Patient{}}
	if err := read.Unscoped().Where("id IN ?", all[1:]).Order("id").Find(&r.Merged).Error; err != nil {
		return nil, apierror.FromDatabase(err)
	}
	if p.DeletedAt.Valid {
		r.DeletedAt = &p.DeletedAt.Time
	}
	if r.SeenSince, err = db.readsSince(ctx); err != nil {
		return nil, apierror.FromDatabase(err)
	}
	client := db.client(by)
	client.Batch = exportBatch
	batches := reportBatches{db, r, func(ctx context.Context) error {
		tx := &Tx{DB: db.read.WithContext(ctx), By: by, alone: true}
		if err := tx.checkActor(); err != nil {
			return err
		}
		return tx.Scopes(by.owns("created_by"), by.seesDeleted).Select("id").Take(&Patient{}, id).Error
	}}
	r.Assignments = rowsOf(ctx, batches, func(ctx context.Context, values url.Values) (*listing.Page[ReportedAssignment], error) {
		return listing.Find[ReportedAssignment](db.read.WithContext(ctx), assignmentsEver, values, client, among("mappings.patient_id", all))
	})
	r.History = rowsOf(ctx, batches, func(ctx context.Context, values url.Values) (*listing.Page[HistoryEntry], error) {
		return historyOf(db.read.WithContext(ctx), client, id, values)
	})
	r.SeenBy = rowsOf(ctx, batches, func(ctx context.Context, values url.Values) (*listing.Page[Access], error) {
		return listing.Find[Access](db.read.WithContext(ctx), accessList, values, client, namesPatient(all...), accessOnly)
	})
	return r, nil
}

// accessOnly is the scope of the events by which data were shown.
func accessOnly(q *gorm.DB) *gorm.DB {
	return q.Where("events.outcome = '" + outcomeOK + "' AND events.action IN ('" + ActionRead + "', '" + ActionList + "', '" + ActionExport + "')")
}

// reportBatches is what the lists of a report have in common. May is why the actor may not see the patient any more.
type reportBatches struct {
	db     *DB
	report *PatientReport
	may    func(context.Context) error
}

// rowsOf goes through a list of a report, batch by batch, each within the time that a request may take. It ends when the actor
// loses the right to see the patient.
func rowsOf[T any](ctx context.Context, of reportBatches, find func(context.Context, url.Values) (*listing.Page[T], error)) iter.Seq[T] {
	r := of.report
	batch := func(values url.Values) (*listing.Page[T], error) {
		ctx, cancel := context.WithTimeout(ctx, of.db.cfg.RequestTimeout)
		defer cancel()
		if err := of.may(ctx); err != nil {
			return nil, err
		}
		return find(ctx, values)
	}
	return func(yield func(T) bool) {
		for values := (url.Values{"cursor": {""}}); r.failed == nil; {
			page, err := batch(values)
			if err != nil {
				r.failed = err
				return
			}
			for _, row := range page.Results {
				if !yield(row) {
					return
				}
			}
			if page.NextCursor == "" {
				return
			}
			values.Set("cursor", page.NextCursor)
		}
	}
}
