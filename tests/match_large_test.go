package tests

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"healthcare/apierror"
	"healthcare/models"
	"healthcare/tests/kit"
)

// people invents persons: always the same ones.
type people struct{ *rand.Rand }

var syllables = []string{"an", "be", "cor", "da", "el", "fi", "gra", "hol", "in", "jo", "ka", "len", "mar", "nor", "os", "pet", "ro", "sil", "tor", "ul"}

// name has a first name of 400, and a last name of 8,000 of which 400 are as frequent as all others.
func (p people) name() string {
	syllable := func() string { return syllables[p.IntN(20)] }
	name := syllable() + syllable() + " " + syllable() + syllable()
	if p.IntN(2) == 0 {
		name += syllable()
	}
	return name
}

func (p people) person() kit.Object {
	born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, p.IntN(34_000))
	o := kit.Object{"name": p.name(), "date_of_birth": born.Format(time.DateOnly), "gender": []string{"male", "female"}[p.IntN(2)]}
	if p.IntN(2) == 0 {
		o["phone"] = fmt.Sprintf("+49 30 %07d", p.IntN(10_000_000))
	}
	if p.IntN(2) == 0 {
		o["email"] = fmt.Sprintf("p%d@example.org", p.IntN(1_000_000))
	}
	return o
}

// mistaken is what somebody writes of a person with one mistake, or two.
func (p people) mistaken(o kit.Object, mistake int) kit.Object {
	name, day := o["name"].(string), o["date_of_birth"].(string)
	first, last := name[:slices.Index([]byte(name), ' ')], name[slices.Index([]byte(name), ' ')+1:]
	switch mistake % 7 {
	case 0:
		return kit.With(o, "name", last+", "+first)
	case 1: // a letter is left out
		at := p.IntN(len(last))
		return kit.With(o, "name", first+" "+last[:at]+last[at+1:])
	case 2: // a letter is another one
		at := p.IntN(len(first))
		return kit.With(o, "name", first[:at]+"x"+first[at+1:]+" "+last)
	case 3: // neighbours are exchanged, and nothing else is known
		at := p.IntN(len(last) - 1)
		return kit.Object{"name": first + " " + last[:at] + string(last[at+1]) + string(last[at]) + last[at+2:], "date_of_birth": day}
	case 4: // day and month, where that is a day
		if swapped := day[:5] + day[8:] + "-" + day[5:7]; day[8:] <= "12" {
			return kit.With(o, "date_of_birth", swapped)
		}
		return kit.Object{"name": name}
	case 5: // a digit
		return kit.With(o, "date_of_birth", day[:3]+fmt.Sprint((int(day[3]-'0')+1)%10)+day[4:])
	}
	return kit.With(kit.Object{"name": last + " " + first, "date_of_birth": day}, "gender", "unknown")
}

// patient is a person as the database holds one.
func (p people) patient(o kit.Object, owner int) models.Patient {
	text := func(name string) string { s, _ := o[name].(string); return s }
	at := time.Now().UTC()
	return models.Patient{CreatedBy: int64(owner), CreatedAt: at, UpdatedAt: at, Version: 1, PatientFields: models.PatientFields{
		Name: text("name"), DateOfBirth: models.Date(text("date_of_birth")), Gender: text("gender"), Phone: text("phone"), Email: text("email"),
	}}
}

// TestAMatchFindsThePersonAmongTenThousand prints the figures of docs/matching.md:
//
//	go test -tags slow ./tests -run AmongTenThousand -v
func TestAMatchFindsThePersonAmongTenThousand(t *testing.T) {
	if !kit.Whole {
		t.Skip("it takes minutes under the race detector and is slow without; to run it: go test -tags slow")
	}
	// Of more than 10,000, SQLite looks searches up in their index. A stranger takes all of the searches there are.
	const patients, probes, others, clients = 10_010, 1_000, 250, 4
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		owner := api.User("ana").ID
		invent := people{rand.New(rand.NewPCG(10_000, 7))}
		all, stored := make([]kit.Object, patients), make([]models.Patient, patients)
		for i := range all {
			all[i] = invent.person()
			stored[i] = invent.patient(all[i], owner)
		}
		known, strangers := make([]kit.Object, probes), make([]kit.Object, others)
		for i := range probes {
			known[i] = invent.mistaken(all[i*patients/probes], i)
		}
		for i := range others {
			strangers[i] = invent.person()
		}
		insert(api, stored)
		ask := func(o kit.Object) []models.Candidate {
			in := invent.patient(o, owner)
			found, err := api.DB.Match(t.Context(), models.Actor{User: models.User{ID: int64(owner)}}, func(m *models.MatchFields) apierror.Fields {
				*m = models.MatchFields{Name: in.Name, DateOfBirth: in.DateOfBirth, Gender: in.Gender, Phone: in.Phone, Email: in.Email}
				return apierror.Fields{}
			})
			if !assert.NoError(t, err) {
				return nil
			}
			return found.Results
		}
		var first, found, alarms [probes]int // 1 for each that did
		kit.AtOnce(clients, func(c int) (r *kit.Response) {
			for i := c; i < probes; i += clients {
				place := slices.IndexFunc(ask(known[i]), func(c models.Candidate) bool { return c.Patient.ID == stored[i*patients/probes].ID })
				if place >= 0 && place < 3 {
					found[i] = 1
				}
				if place == 0 {
					first[i] = 1
				}
				if i < others && slices.ContainsFunc(ask(strangers[i]), func(c models.Candidate) bool { return c.Score >= 60 }) {
					alarms[i] = 1
				}
			}
			return r
		})
		sum := func(counts [probes]int) (n int) {
			for _, one := range counts {
				n += one
			}
			return n
		}
		t.Logf("of %d: first %d, among the first three %d; of %d strangers, false alarms %d", probes, sum(first), sum(found), others, sum(alarms))
		assert.GreaterOrEqual(t, sum(found), probes*95/100)
		assert.LessOrEqual(t, sum(alarms), others*2/100)
	})
}

// insert stores patients directly, without events, and sets their ids.
func insert(api *kit.API, patients []models.Patient) {
	dialector := gorm.Dialector(sqlite.Dialector{Conn: api.SQL()})
	if api.IsPostgres() {
		dialector = postgres.New(postgres.Config{Conn: api.SQL()})
	}
	direct, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	require.NoError(api.T, err)
	require.NoError(api.T, direct.Transaction(func(tx *gorm.DB) error { return tx.CreateInBatches(patients, 500).Error }))
	if api.IsPostgres() {
		api.Exec("ANALYZE patients")
	}
}
