package models

import (
	"context"
	"maps"
	"net/url"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// exportBatch is how many rows of an export are in memory at once. The largest patients take 80 KB each.
const exportBatch = 500

// ExportPatients gives all patients of a list to use, batch by batch.
func (db *DB) ExportPatients(ctx context.Context, by Actor, values url.Values, use func([]Patient) error) error {
	visible, err := by.finds(values)
	if err != nil {
		return err
	}
	return export(ctx, db, by, objectPatient, patientList, values, visible, use)
}

// IdentifierSystems are the systems of the identifiers of all patients that the actor may see.
func (db *DB) IdentifierSystems(ctx context.Context, by Actor) (systems []string, err error) {
	read := db.read.WithContext(ctx)
	seen := read.Model(&Patient{}).Unscoped().Scopes(by.owns("created_by")).Select("id")
	err = read.Model(&PatientIdentifier{}).Where("patient_id IN (?)", seen).Distinct().Order("system").Limit(maxSystems+1).Pluck("system", &systems).Error
	if err == nil && len(systems) > maxSystems {
		err = apierror.Fields{"format": {"The patients have identifiers of too many systems for the columns of a table. Use jsonl."}}.Err()
	}
	return systems, apierror.FromDatabase(err)
}

// maxSystems is as many as an import takes columns of.
const maxSystems = 200

// Identifier is the first one of a system, or empty.
func (p *Patient) Identifier(system string) string {
	for _, one := range p.Identifiers {
		if one.System == system {
			return one.Value
		}
	}
	return ""
}

// ExportDoctors does the same with doctors.
func (db *DB) ExportDoctors(ctx context.Context, by Actor, values url.Values, use func([]Doctor) error) error {
	return export(ctx, db, by, objectDoctor, doctorList, values, everything, use)
}

// ExportMappings does the same with assignments.
func (db *DB) ExportMappings(ctx context.Context, by Actor, values url.Values, use func([]Assignment) error) error {
	return export(ctx, db, by, objectMapping, mappingList, values, by.owns("mappings.owner_id"), use)
}

// ExportCareTeams does the same with the care teams of the patients of a list.
func (db *DB) ExportCareTeams(ctx context.Context, by Actor, values url.Values, use func([]CareTeam) error) error {
	visible, err := by.finds(values)
	if err != nil {
		return err
	}
	by.onPrimary = true // as their doctors are read there
	return export(ctx, db, by, objectMapping, patientList, values, visible, func(patients []Patient) error {
		ctx, cancel := context.WithTimeout(ctx, db.cfg.RequestTimeout)
		defer cancel()
		teams, err := careTeams(db.read.WithContext(ctx), patients)
		if err != nil {
			return apierror.FromDatabase(err)
		}
		return use(teams)
	})
}

// export reads a list beside cursors, so each batch is as it is when it is read, no row comes twice, and none is left out
// because others are added. (One that is changed meanwhile may, if the list is ordered by what was changed.)
//
// While use works, however slowly, no connection and no transaction is held. Use gets a batch when its event is stored; and
// as that is a write, who has lost the right to see the rows gets no more of them.
func export[T any, R interface {
	*T
	subject
}](ctx context.Context, db *DB, by Actor, about string, of listing.List, values url.Values, visible scope, use func([]T) error) error {
	values = maps.Clone(values)
	values.Del("page")
	values.Set("cursor", "")
	for {
		page, err := findBatch[T](ctx, db, by, of, values, visible)
		if err != nil {
			return err
		}
		if err := db.auditExport(ctx, by, Subject{Object: about}, shownIn[T, R](page.Results)); err != nil {
			return err
		}
		if err := use(page.Results); err != nil || page.NextCursor == "" {
			return err
		}
		values.Set("cursor", page.NextCursor)
	}
}

// findBatch reads one batch within the time that a request may take.
func findBatch[T any](ctx context.Context, db *DB, by Actor, of listing.List, values url.Values, scopes ...scope) (*listing.Page[T], error) {
	ctx, cancel := context.WithTimeout(ctx, db.cfg.RequestTimeout)
	defer cancel()
	var page *listing.Page[T]
	err := db.readList(ctx, by, values, func(q *gorm.DB, client listing.Client) (err error) {
		client.Batch = exportBatch
		page, err = listing.Find[T](q, of, values, client, scopes...)
		return err
	})
	return page, err
}

// auditExport stores the event of what is about to be shown, and of whom.
func (db *DB) auditExport(ctx context.Context, by Actor, about Subject, patients IDs) error {
	ctx, cancel := context.WithTimeout(ctx, db.cfg.RequestTimeout)
	defer cancel()
	return db.Write(ctx, by, func(tx *Tx) error {
		e := by.event(tx.Now, ActionExport, about)
		e.PatientIDs = patients
		return tx.Create(&e).Error
	})
}
