package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"healthcare/models"
)

// demoClinic is an invented clinic. Its phone numbers are in a range that is reserved for fiction.
type demoClinic struct {
	doctors  []models.DoctorFields
	patients []demoPatient
}

type demoPatient struct {
	models.PatientFields
	doctors    []int  // who treat them, as indexes
	review     string // a later note in the medical history
	discharged bool   // the last of the doctors treats them no more
}

const demoPatients = 200

// inventClinic returns the same clinic each time: the random numbers come from a fixed seed.
func inventClinic() demoClinic {
	random := rand.New(rand.NewPCG(1948, 7)) //nolint:gosec // invention needs no secrecy
	clinic := demoClinic{doctors: demoDoctors}
	for n := range demoPatients {
		clinic.patients = append(clinic.patients, inventPatient(random, n+1))
	}
	return clinic
}

func inventPatient(random *rand.Rand, n int) demoPatient {
	year := 1936 + random.IntN(89)
	people := demoPeople[random.IntN(len(demoPeople))]
	p := demoPatient{PatientFields: models.PatientFields{
		DateOfBirth: models.Date(fmt.Sprintf("%d-%02d-%02d", year, 1+random.IntN(12), 1+random.IntN(28))),
		Phone:       fmt.Sprintf("+44 7700 900%03d", n),
		Address:     fmt.Sprintf("%d %s, Northbridge", 1+random.IntN(120), pick(random, demoStreets)),
		BloodGroup:  pick(random, demoBloodGroups),
	}}
	p.Gender, p.Name = "female", people.woman(random)
	if random.IntN(2) == 0 {
		p.Gender, p.Name = "male", people.man(random)
	}
	if random.IntN(25) == 0 {
		p.Gender = pick(random, []string{"other", "unknown"})
	}
	if random.IntN(3) > 0 {
		p.Email = fmt.Sprintf("patient%03d@example.org", n)
	}
	if random.IntN(4) == 0 {
		p.Allergies = pick(random, demoAllergies)
	}
	p.fallIll(random, year)
	return p
}

// fallIll gives a patient a condition that suits the age, and the doctors for it: the general practitioner for
// everybody but children, and the specialist.
func (p *demoPatient) fallIll(random *rand.Rand, born int) {
	condition := pick(random, demoAdultConditions)
	switch {
	case born >= 2010:
		condition = pick(random, demoChildConditions)
	case random.IntN(6) == 0:
		condition = demoCondition{history: "No chronic conditions. Comes for check-ups."}
	case born < 1975 && random.IntN(2) == 0:
		condition = pick(random, demoOlderConditions)
	}
	if born < 2010 && condition.doctor != 0 {
		p.doctors = append(p.doctors, 0)
	}
	p.doctors = append(p.doctors, condition.doctor)
	p.MedicalHistory = condition.history
	if random.IntN(4) == 0 {
		p.review = pick(random, demoReviews)
	}
	p.discharged = len(p.doctors) > 1 && random.IntN(8) == 0
}

// demoNames are names of one language, separated by blanks.
type demoNames struct {
	women, men      string
	families        string
	womensFamilies  string // if they differ
	familyNameFirst bool
}

func (d demoNames) woman(random *rand.Rand) string {
	if d.womensFamilies != "" {
		d.families = d.womensFamilies
	}
	return d.join(pick(random, strings.Fields(d.women)), pick(random, strings.Fields(d.families)))
}

func (d demoNames) man(random *rand.Rand) string {
	return d.join(pick(random, strings.Fields(d.men)), pick(random, strings.Fields(d.families)))
}

func (d demoNames) join(given, family string) string {
	if d.familyNameFirst {
		return family + " " + given
	}
	return given + " " + family
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }
