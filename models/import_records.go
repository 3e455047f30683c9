package models

import (
	"context"
	"errors"
	"reflect"
	"strconv"

	"healthcare/apierror"
	"healthcare/tabular"
)

// NewRecord is a patient or a doctor of a file that is no table.
type NewRecord struct {
	Of     string          // "patients" or "doctors"
	Fields any             // PatientFields or DoctorFields
	Wrong  apierror.Fields // by element; the record is refused if there is any
	Cells  []string        // where it stands
}

// recordPlan is the plan of the records of one kind.
type recordPlan struct {
	*importPlan
	rows []*plannedRow // that have not been looked at
	size int           // of them
	read int
}

// PlanRecords is PlanImport of files that are no tables: each gives their records to use. They come to be created: one that
// is there already is refused. What is to be written are one import of patients and one of doctors, and both are decided
// together, or none.
func (db *DB) PlanRecords(ctx context.Context, by Actor, options ImportOptions, each func(use func(NewRecord) error) error) ([]*ImportBy, error) {
	var plans []*recordPlan
	for _, options.Of = range []string{"patients", "doctors"} {
		plans = append(plans, &recordPlan{importPlan: db.newPlan(by, options, importKinds[options.Of])})
	}
	err := each(func(in NewRecord) error {
		for _, p := range plans {
			if p.Of == in.Of {
				return apierror.FromDatabase(p.add(ctx, in))
			}
		}
		return errors.New(in.Of + " cannot be imported so")
	})
	for _, p := range plans {
		if err == nil {
			err = apierror.FromDatabase(p.flush(ctx))
		}
	}
	if err == nil {
		err = apierror.FromDatabase(db.decideAll(ctx, by, plans))
	}
	var planned []*ImportBy
	for _, p := range plans {
		if err != nil || p.State != ImportWriting {
			err = errors.Join(err, p.drop(ctx))
		}
		if p.read > 0 {
			planned = append(planned, &ImportBy{p.Import, UserName{by.ID, by.Username}})
		}
	}
	return planned, err
}

// add looks at a record, together with others.
func (p *recordPlan) add(ctx context.Context, in NewRecord) error {
	p.read++
	r := &plannedRow{Record: tabular.Record{Row: p.read}}
	r.RowResult = RowResult{Row: p.read, Errors: apierror.Fields{}, Cells: in.Cells}
	for element, messages := range in.Wrong {
		r.Errors.Add(element, messages...)
	}
	switch fields := in.Fields.(type) {
	case PatientFields:
		r.Values = valuesOf(fields)
		for _, one := range fields.Identifiers {
			r.Listed = append(r.Listed, [2]string{one.System, one.Value})
		}
	case DoctorFields:
		r.Values = valuesOf(fields)
	}
	p.rows, p.size = append(p.rows, r), p.size+r.size()
	if len(p.rows) < rowsAtOnce && p.size < bytesAtOnce {
		return nil
	}
	return p.flush(ctx)
}

// flush looks at the records that wait for it.
func (p *recordPlan) flush(ctx context.Context) error {
	rows := p.rows
	p.rows, p.size = nil, 0
	if len(rows) == 0 {
		return nil
	}
	return p.look(ctx, rows)
}

// valuesOf are the texts and numbers of a record as a row of a table has them. What is not said has no value.
func valuesOf[T any](in T) map[string]string {
	values := map[string]string{}
	for name, f := range JSONFields[T]() {
		v := reflect.ValueOf(in).FieldByIndex(f.Index)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch {
		case v.Kind() == reflect.String && v.String() != "":
			values[name] = v.String()
		case v.CanInt():
			values[name] = strconv.FormatInt(v.Int(), 10)
		}
	}
	return values
}

// decideAll decides all imports in one transaction, or none if one is refused. One that would write nothing is none.
func (db *DB) decideAll(ctx context.Context, by Actor, plans []*recordPlan) error {
	state := ImportWriting
	for _, p := range plans {
		if own := p.verdict(); own != ImportWriting {
			state = own
		}
	}
	for _, p := range plans {
		p.State = state
	}
	if state != ImportWriting {
		return nil
	}
	return db.Write(ctx, by, func(tx *Tx) error {
		for _, p := range plans {
			if p.Created == 0 && (p.Duplicates == 0 || !p.options.Duplicates) {
				p.State = ImportDone
				continue
			}
			decided := *p.importPlan
			decided.by.within = tx
			if err := decided.decide(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}
