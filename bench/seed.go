//go:build programs

package main

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"healthcare/models"
)

// size is how large a database is.
type size struct{ patients, doctors int }

func sizeOf(patients int) size { return size{patients, max(100, patients/100)} }

// The owners of the patients: in a large database, one account has 1,000 of them, one a tenth, and accounts of about a
// thousand each have the rest; all patients lie among each other, as those of many accounts do. In a small database,
// the first account has them all.
const (
	shareOfFew  = 7 // of each thousandth part
	shareOfMany = 3 // of 10
	largeFrom   = 10_000
)

func (s size) isLarge() bool { return s.patients >= largeFrom }

// owners are the ids of the accounts that own what is seeded.
type owners struct {
	few, many int64
	others    []int64
}

func (o owners) of(s size, n int) int64 {
	switch {
	case !s.isLarge() || n%(s.patients/1000) == shareOfFew:
		return o.few
	case n%10 == shareOfMany:
		return o.many
	default:
		return o.others[(n/1000+n)%len(o.others)]
	}
}

// doctorsOf is how many doctors the n-th patient has: one in ten has three, in each account's share.
func doctorsOf(n int) int {
	if (n/10+n/1000)%10 == 0 {
		return 3
	}
	return 0
}

// table is rows to insert.
type table struct {
	name    string
	columns []string
	rows    iter.Seq[[]any]
}

// seeds makes the seeded rows, the same each time.
type seeds struct {
	size
	owners
	end time.Time // when the newest row was made
}

func (s seeds) random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) } //nolint:gosec // invented names are no secrets

// at is when the n-th row of so many was made, in the last three years.
func (s seeds) at(n, of int) time.Time {
	return s.end.Add(-time.Duration(of-n) * (3 * 365 * 24 * time.Hour / time.Duration(of)))
}

func (s seeds) tables() []table {
	of := func(name, columns string, rows iter.Seq[[]any]) table {
		return table{name, strings.Fields(columns), rows}
	}
	const record = " created_by created_at updated_at version name_key search_text"
	return []table{
		of("doctors", "id name specialization email phone license_number years_of_experience"+record+" license_key", s.doctorRows),
		of("patients", "id name date_of_birth gender phone email address blood_group allergies medical_history"+record, s.patientRows),
		of("mappings", "patient_id doctor_id owner_id assigned_by created_at removed_with", s.mappingRows),
		of("events", "at user_id action object object_id patient_id changes address outcome request_id", s.eventRows),
	}
}

func (s seeds) doctorRows(yield func([]any) bool) {
	random := s.random()
	specializations := []string{"Cardiology", "Dermatology", "General practice", "Neurology", "Paediatrics"}
	for n := 1; n <= s.doctors; n++ {
		name, at := "Dr. "+person(random, n), s.at(n, s.doctors)
		special, licence := specializations[random.IntN(len(specializations))], fmt.Sprintf("GMC %07d", n)
		doctor := models.Doctor{DoctorFields: models.DoctorFields{Name: name, Specialization: special, LicenseNumber: licence}}
		_ = doctor.BeforeSave(nil) // fills the text that searches look into
		row := []any{
			int64(n), name, special, "", "", licence, int64(random.IntN(40)), s.few, at, at, int64(1),
			models.Fold(name), doctor.SearchText, models.Fold(licence),
		}
		if !yield(row) {
			return
		}
	}
}

func (s seeds) patientRows(yield func([]any) bool) {
	random := s.random()
	genders, groups := []string{"female", "male"}, []string{"A+", "O+", "B-", ""}
	for n := 1; n <= s.patients; n++ {
		name, at := person(random, n), s.at(n, s.patients)
		phone, email := fmt.Sprintf("+44 20 %04d %04d", random.IntN(10_000), random.IntN(10_000)), fmt.Sprintf("p%d@example.org", n)
		born := time.Date(1930, 1, 1+random.IntN(90*365), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		patient := models.Patient{PatientFields: models.PatientFields{Name: name, DateOfBirth: models.Date(born), Phone: phone, Email: email}}
		_ = patient.BeforeSave(nil)
		row := []any{
			int64(n), name, born, genders[random.IntN(len(genders))], phone, email, fmt.Sprintf("%d High Street, Springfield", random.IntN(300)),
			groups[random.IntN(len(groups))], "", "Hypertension since 2016. Ramipril 5 mg once daily.", s.of(s.size, n), at, at, int64(1),
			models.Fold(name), patient.SearchText,
		}
		if !yield(row) {
			return
		}
	}
}

func (s seeds) mappingRows(yield func([]any) bool) {
	for n := 1; n <= s.patients; n++ {
		for i := range doctorsOf(n) {
			doctor := (n*31+i*37)%s.doctors + 1
			owner := s.of(s.size, n)
			if !yield([]any{int64(n), int64(doctor), owner, owner, s.at(n, s.patients).Add(time.Minute), ""}) {
				return
			}
		}
	}
}

func (s seeds) eventRows(yield func([]any) bool) {
	random := s.random()
	for n := 1; n <= s.patients; n++ {
		changes := models.NewChanges(map[string]models.FromTo{"name": {To: person(random, n)}, "gender": {To: "female"}, "phone": {To: "+44 20 7946 0000"}})
		row := []any{
			s.at(n, s.patients), s.of(s.size, n), models.ActionCreate, "patient", int64(n), int64(n), string(changes), "127.0.0.1", "ok",
			fmt.Sprintf("seed-%d", n),
		}
		if !yield(row) {
			return
		}
	}
}
