package models

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/fastgorm"
	"healthcare/tabular"
)

// planPatients finds the patients that rows are about by their identifiers. What is not found so may be a patient who is
// there already, see match.go.
func planPatients(ctx context.Context, p *importPlan, rows []*plannedRow) error {
	visible := func() *gorm.DB { return p.db.read.WithContext(ctx).Scopes(p.by.owns("created_by")) }
	identified, err := patientsIdentified(visible(), rows)
	if err != nil {
		return err
	}
	alike, err := patientsAlike(visible, rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		in := PatientFields{Gender: "unknown"}
		p.refuse(r, bindPatient(&r.Record).Validated(&in))
		r.Result = RowCreated
		for _, one := range in.Identifiers {
			p.first(r, tabular.Identifier+one.System, "identifier", one.System, one.Value)
			if there := identified[one]; there != nil && r.ID != nil && *r.ID != there.ID {
				r.Errors.Add(p.header(tabular.Identifier+one.System), "This is another patient than the other identifiers tell.")
			} else if there != nil {
				p.changes(r, there)
			}
		}
		if len(in.Identifiers) == 0 {
			p.first(r, "name", "patient", Plain(in.Name), string(in.DateOfBirth))
		}
		for _, other := range alike.of(in) {
			if r.Result == RowCreated || r.Result == RowDuplicate {
				p.mayBe(r, in, other)
			}
		}
	}
	return nil
}

// changes notes that a row is about a patient who is there.
func (p *importPlan) changes(r *plannedRow, there *Patient) {
	r.Result, r.ID = RowUpdated, &there.ID
	changed := there.PatientFields
	p.refuse(r, bindPatient(&r.Record).Validated(&changed))
	if diff(&there.PatientFields, changed) == "" {
		r.Result = RowUnchanged
	}
}

// mayBe notes that a row may be about a patient who is there, or says of it just what is known.
func (p *importPlan) mayBe(r *plannedRow, in PatientFields, there *Patient) {
	same := there.PatientFields
	_ = bindPatient(&r.Record)(&same)
	if Plain(in.Name) == Plain(there.Name) && diff(&there.PatientFields, same) == "" {
		r.Result, r.ID = RowUnchanged, &there.ID
	} else if r.Result == RowCreated && likeness(there, &MatchFields{in.Name, in.DateOfBirth, in.Gender, in.Phone, in.Email, in.Identifiers}).Score >= probablySame {
		r.Result, r.ID = RowDuplicate, &there.ID
	}
}

// bindPatient is bindRecord with the identifiers: those of systems that the file does not have stay.
func bindPatient(r *tabular.Record) Bind[PatientFields] {
	return func(in *PatientFields) apierror.Fields {
		errs := bindRecord[PatientFields](r)(in)
		all := slices.Clone(in.Identifiers)
		for system, value := range r.Identifiers {
			if !readable(system + value) {
				errs.Add(tabular.Identifier+system, unreadable)
			} else if one := (Identifier{system, value}); !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
		slices.SortFunc(all[len(in.Identifiers):], func(a, b Identifier) int { return strings.Compare(a.System, b.System) })
		for _, listed := range r.Listed {
			if one := (Identifier{listed[0], listed[1]}); !readable(one.System + one.Value) {
				errs.Add("identifiers", unreadable)
			} else if !slices.Contains(in.Identifiers, one) {
				all = append(all, one)
			}
		}
		in.Identifiers = all
		return errs
	}
}

// identifiersOf are the identifiers of a row, in the form in which they are stored.
func identifiersOf(r *tabular.Record) Identifiers {
	var in PatientFields
	_ = bindPatient(r)(&in)
	return in.Identifiers.normalized()
}

// patientsIdentified finds the patients who have identifiers of these rows, by identifier.
func patientsIdentified(visible *gorm.DB, rows []*plannedRow) (map[Identifier]*Patient, error) {
	var values []string
	for _, r := range rows {
		for _, one := range identifiersOf(&r.Record) {
			values = append(values, one.Value)
		}
	}
	found := map[Identifier]*Patient{}
	if len(values) == 0 {
		return found, nil
	}
	for some := range slices.Chunk(values, 5000) { // a statement has at most 32,766 parameters on SQLite
		var there []*Patient
		who := visible.Session(&gorm.Session{NewDB: true}).Model(&PatientIdentifier{}).Where("freed_at IS NULL AND value IN ?", some).Select("patient_id")
		if err := visible.Session(&gorm.Session{}).Where("id IN (?)", who).Find(&there).Error; err != nil {
			return nil, err
		}
		for _, patient := range there {
			for _, one := range patient.Identifiers {
				found[one] = patient
			}
		}
	}
	return found, nil
}

// alikePatients are patients by what may tell that a row is about them.
type alikePatients map[string][]*Patient

// of are those with the name or the birth date of a row.
func (a alikePatients) of(in PatientFields) []*Patient {
	return append(slices.Clone(a["name "+Plain(in.Name)]), a["born "+string(in.DateOfBirth)]...)
}

// patientsAlike finds the patients who have the name or the birth date of one of these rows. Of the latter there may be
// many, so they come without their long texts, which are compared only where the names are equal.
func patientsAlike(visible func() *gorm.DB, rows []*plannedRow) (alikePatients, error) {
	names := lookedUp(rows, "name", func(name string) Folded { return Folded(Fold(name)) })
	var days []Date
	for _, r := range rows {
		if day := r.Values["date_of_birth"]; born(day) {
			days = append(days, Date(day))
		}
	}
	alike := alikePatients{}
	var named, coeval []*Patient
	if err := visible().Where("name_key IN ?", names).Order("id").Find(&named).Error; err != nil {
		return nil, err
	}
	whole := map[int64]*Patient{}
	for _, patient := range named {
		name := "name " + Plain(patient.Name)
		alike[name], whole[patient.ID] = append(alike[name], patient), patient
	}
	err := visible().Omit("address", "allergies", "medical_history", "search_text").Where("date_of_birth IN ?", days).Order("id").Find(&coeval).Error
	for _, patient := range coeval {
		patient = cmp.Or(whole[patient.ID], patient)
		born := "born " + string(patient.DateOfBirth)
		alike[born] = append(alike[born], patient)
	}
	return alike, err
}

// lookedUp are the values of a field that can be looked up, in the form in which they are stored.
func lookedUp(rows []*plannedRow, field string, form func(string) Folded) []Folded {
	values := make([]Folded, 0, len(rows))
	for _, r := range rows {
		if text := Trim(r.Values[field]); text != "" && readable(text) {
			values = append(values, form(text))
		}
	}
	return values
}

func writePatient(ctx context.Context, db *DB, by Actor, r *tabular.Record, target *int64) (int64, error) {
	if target != nil {
		_, err := db.UpdatePatientFields(ctx, by, *target, bindPatient(r))
		return *target, err
	}
	made, err := db.CreatePatient(ctx, by, func(in *PatientFields) apierror.Fields {
		in.Gender = "unknown"
		return bindPatient(r)(in)
	})
	if err != nil {
		return 0, err
	}
	return made.ID, nil
}

// createPatients is CreatePatient for many.
func createPatients(by Actor, records []tabular.Record) (func(tx *Tx) ([]int64, error), error) {
	patients, events := make([]Patient, len(records)), make([]Event, len(records))
	for i := range records {
		in := PatientFields{Gender: "unknown"}
		if err := bindPatient(&records[i]).Validated(&in).Err(); err != nil {
			return nil, err
		}
		patients[i] = Patient{PatientFields: in, CreatedBy: by.ID, Version: 1}
		events[i] = by.event(time.Time{}, ActionCreate, patients[i].subject())
		events[i].Changes = diff(nil, in)
	}
	return func(tx *Tx) ([]int64, error) {
		patients, events := slices.Clone(patients), slices.Clone(events)
		for i := range patients {
			patients[i].CreatedAt, patients[i].UpdatedAt, events[i].At = tx.Now, tx.Now, tx.Now
		}
		if err := tx.Clauses(fastgorm.Also(events, "object_id", "patient_id")).Create(&patients).Error; err != nil {
			return nil, err
		}
		ids, identifiers := make([]int64, len(patients)), []PatientIdentifier{}
		for i := range patients {
			ids[i] = patients[i].ID
			identifiers = append(identifiers, tx.rowsOf(&patients[i], by.ID, patients[i].Identifiers)...)
		}
		return ids, tx.claim(identifiers)
	}, nil
}

func undoPatient(ctx context.Context, db *DB, by Actor, id int64) (bool, error) {
	untouched := func(q *gorm.DB) *gorm.DB {
		return q.Scopes(by.owns("created_by")).Where("version = 1").
			Where("NOT EXISTS (SELECT 1 FROM mappings WHERE mappings.patient_id = patients.id AND mappings.deleted_at IS NULL)")
	}
	return isThere(db.removePatient(ctx, by, id, untouched))
}

// isThere is false for a record that was not found, or that its finder may not delete.
func isThere(err error) (bool, error) {
	var known *apierror.Error
	if errors.As(apierror.FromDatabase(err), &known) && (known.Code == apierror.NotFound || known.Code == apierror.PermissionDenied) {
		return false, nil
	}
	return err == nil, err
}

// planDoctors finds the doctors that rows are about by their licence numbers, or else by name and specialization.
func planDoctors(ctx context.Context, p *importPlan, rows []*plannedRow) error {
	licences := lookedUp(rows, "license_number", nameKey)
	names := lookedUp(rows, "name", func(name string) Folded { return Folded(Fold(name)) })
	there := []*Doctor{}
	err := p.db.read.WithContext(ctx).Where("license_key IN ? OR name_key IN ?", licences, names).Order("id").Find(&there).Error
	if err != nil {
		return err
	}
	for _, r := range rows {
		var in DoctorFields
		p.refuse(r, bindRecord[DoctorFields](&r.Record).Validated(&in))
		r.Result = RowCreated
		if in.LicenseNumber != "" {
			p.first(r, "license_number", "doctor", string(nameKey(in.LicenseNumber)))
		} else {
			p.first(r, "name", "doctor", Plain(in.Name), Plain(in.Specialization))
		}
		for _, d := range there {
			p.compareDoctor(r, in, d)
		}
	}
	return nil
}

// compareDoctor finds out whether a row is about a doctor who is there.
func (p *importPlan) compareDoctor(r *plannedRow, in DoctorFields, d *Doctor) {
	licensed := in.LicenseNumber != ""
	switch {
	case licensed && (d.LicenseKey == nil || *d.LicenseKey != nameKey(in.LicenseNumber)):
		return
	case !licensed && (r.Result != RowCreated || Plain(d.Name) != Plain(in.Name) || Plain(d.Specialization) != Plain(in.Specialization)):
		return
	}
	r.ID = &d.ID
	same := d.DoctorFields
	_ = bindRecord[DoctorFields](&r.Record)(&same)
	switch {
	case diff(&d.DoctorFields, same) == "":
		r.Result = RowUnchanged
	case !licensed:
		r.Result = RowDuplicate
	default:
		r.Result = RowUpdated
		if !d.changeableBy(p.by) {
			r.Errors.Add(p.header("license_number"), "Another account created this doctor. Only staff can change it.")
		}
	}
}

func writeDoctor(ctx context.Context, db *DB, by Actor, r *tabular.Record, target *int64) (int64, error) {
	if target != nil {
		_, err := db.UpdateDoctor(ctx, by, *target, bindRecord[DoctorFields](r))
		return *target, err
	}
	made, err := db.CreateDoctor(ctx, by, bindRecord[DoctorFields](r))
	if err != nil {
		return 0, err
	}
	return made.ID, nil
}

func undoDoctor(ctx context.Context, db *DB, by Actor, id int64) (bool, error) {
	untouched := func(q *gorm.DB) *gorm.DB {
		return q.Where("version = 1").
			Where("NOT EXISTS (SELECT 1 FROM mappings WHERE mappings.doctor_id = doctors.id AND mappings.deleted_at IS NULL)")
	}
	return isThere(remove[Doctor](ctx, db, by, id, untouched))
}

// planMappings finds the patients by their ids or identifiers, and the doctors by their ids or licence numbers.
func planMappings(ctx context.Context, p *importPlan, rows []*plannedRow) error {
	q := p.db.read.WithContext(ctx)
	doctors, err := doctorsByLicence(q, rows)
	if err != nil {
		return err
	}
	identified, err := patientsIdentified(q.Scopes(p.by.owns("created_by")), rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		p.findPatient(r, identified)
		if licence := Trim(r.Values["license_number"]); licence != "" && r.Values["doctor_id"] == "" {
			if r.Values["doctor_id"] = doctors[nameKey(licence)]; r.Values["doctor_id"] == "" {
				r.Errors.Add(p.header("license_number"), "There is no doctor with this licence number.")
			}
		}
		var in MappingFields
		errs := bindRecord[MappingFields](&r.Record).Validated(&in)
		if r.Values["license_number"] != "" {
			delete(errs, "doctor_id") // which was looked up
		}
		if len(r.Identifiers) > 0 {
			delete(errs, "patient_id")
		}
		p.refuse(r, errs)
		r.Result = RowCreated
		p.first(r, "patient_id", "mapping", r.Values["patient_id"], r.Values["doctor_id"])
	}
	return p.findPairs(q, rows)
}

// findPatient fills in the patient whose identifier a row has.
func (p *importPlan) findPatient(r *plannedRow, identified map[Identifier]*Patient) {
	for _, one := range identifiersOf(&r.Record) {
		if there := identified[one]; there != nil {
			r.Values["patient_id"] = strconv.FormatInt(there.ID, 10)
		} else {
			r.Errors.Add(p.header(tabular.Identifier+one.System), "There is no patient with this identifier.")
		}
	}
}

// doctorsByLicence finds the ids of doctors, as text, by the forms of their licence numbers.
func doctorsByLicence(q *gorm.DB, rows []*plannedRow) (map[Folded]string, error) {
	var found []Doctor
	err := q.Where("license_key IN ?", lookedUp(rows, "license_number", nameKey)).Find(&found).Error
	ids := map[Folded]string{}
	for _, d := range found {
		ids[*d.LicenseKey] = strconv.FormatInt(d.ID, 10)
	}
	return ids, err
}

// findPairs refuses assignments of patients and doctors that are not there, and finds those that are assigned already.
func (p *importPlan) findPairs(q *gorm.DB, rows []*plannedRow) error {
	wanted := map[string][]int64{}
	for _, r := range rows {
		for _, field := range []string{"patient_id", "doctor_id"} {
			if id := parseID(r.Values[field]); id != 0 {
				wanted[field] = append(wanted[field], id)
			}
		}
	}
	var patients, doctors []int64
	if err := q.Model(&Patient{}).Scopes(p.by.owns("created_by")).Where("id IN ?", wanted["patient_id"]).Pluck("id", &patients).Error; err != nil {
		return err
	}
	if err := q.Model(&Doctor{}).Where("id IN ?", wanted["doctor_id"]).Pluck("id", &doctors).Error; err != nil {
		return err
	}
	var assigned []Mapping
	if err := q.Where("patient_id IN ?", patients).Find(&assigned).Error; err != nil {
		return err
	}
	for _, r := range rows {
		patient, doctor := parseID(r.Values["patient_id"]), parseID(r.Values["doctor_id"])
		if patient != 0 && !slices.Contains(patients, patient) {
			r.Errors.Add(p.header("patient_id"), "There is no such patient.")
		}
		if doctor != 0 && !slices.Contains(doctors, doctor) {
			r.Errors.Add(p.header("doctor_id"), "There is no such doctor.")
		}
		for _, m := range assigned {
			if m.PatientID == patient && m.DoctorID == doctor {
				r.Result, r.ID = RowUnchanged, &m.ID
			}
		}
	}
	return nil
}

// parseID is 0 for what is no id.
func parseID(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func writeMapping(ctx context.Context, db *DB, by Actor, r *tabular.Record, _ *int64) (int64, error) {
	made, err := db.Assign(ctx, by, bindRecord[MappingFields](r))
	if err != nil {
		return 0, err
	}
	return made.ID, nil
}

func undoMapping(ctx context.Context, db *DB, by Actor, id int64) (bool, error) {
	return isThere(db.Unassign(ctx, by, id))
}
