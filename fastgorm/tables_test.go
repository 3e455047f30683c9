package fastgorm_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"healthcare/models"
)

// table is a model with what the tests need to know of it.
type table struct {
	name   string
	key    string // the primary key, as ORDER BY takes it
	text   string // a column of texts
	number string // a column of numbers
	time   string // a column of times
	row    func(n int) any
}

// seeded is how many rows each table has at first.
const seeded = 9

// tables are all models, in the order of models.Tables.
var tables = []table{
	{"users", "id", "username", "id", "created_at", userRow},
	{"sessions", "id", "address", "user_id", "expires_at", func(n int) any {
		return &models.Session{UserID: id(n), CreatedAt: at(n), LastUsedAt: at(n), ExpiresAt: at(n + 1), EndedAt: maybe(n, at(n)), Address: word(n), UserAgent: "curl"}
	}},
	{"refresh_tokens", "hash", "hash", "session_id", "expires_at", func(n int) any {
		return &models.RefreshToken{Hash: fmt.Sprintf("hash %03d", n), SessionID: id(n), ExpiresAt: at(n), SpentAt: maybe(n, at(n))}
	}},
	{"login_failures", "id", "account", "id", "at", func(n int) any {
		return &models.LoginFailure{Account: word(n), Network: "10.0.0.0", At: at(n)}
	}},
	{"invitations", "hash", "hash", "user_id", "expires_at", func(n int) any {
		return &models.Invitation{Hash: fmt.Sprintf("hash %03d", n), UserID: id(n), IssuedBy: maybe(n, id(n+1)), Asked: n%2 == 0, CreatedAt: at(n), ExpiresAt: at(n + 1), EndedAt: maybe(n, at(n))}
	}},
	{"patients", "id", "name", "created_by", "created_at", patientRow},
	{"patient_identifiers", "id", "value", "patient_id", "freed_at", func(n int) any {
		return &models.PatientIdentifier{PatientID: id(n), ScopeID: id(n), System: "urn:test", Value: fmt.Sprint(word(n), n), FreedAt: maybe(n, at(n))}
	}},
	{"doctors", "id", "name", "created_by", "created_at", doctorRow},
	{"mappings", "id", "removed_with", "owner_id", "created_at", func(n int) any {
		return &models.Mapping{
			MappingFields: models.MappingFields{PatientID: id(n), DoctorID: id(n / seeded)}, OwnerID: id(n), AssignedBy: id(n + 1), CreatedAt: at(n),
			DeletedAt: deleted(n), RemovedWith: []string{"", "patient", "doctor"}[n%3],
		}
	}},
	{"moved_rows", "id", "object", "patient_id", "", func(n int) any {
		return &models.MovedRow{PatientID: id(n), Object: word(n), ObjectID: id(n)}
	}},
	{"imports", "id", "file", "written", "at", func(n int) any {
		return &models.Import{At: at(n), UserID: id(n), Of: "patients", File: word(n), State: "done", Written: int64(n), EndedAt: maybe(n, at(n)), UndoneBy: maybe(n, id(n))}
	}},
	{"import_rows", "id", "record", "row", "", func(n int) any {
		return &models.ImportRow{ImportID: id(n), Row: n, Target: maybe(n, id(n)), Record: word(n)}
	}},
	{"imported_rows", "import_id, record_id", "", "record_id", "", func(n int) any {
		return &models.ImportedRow{ImportID: id(n), RecordID: int64(n)}
	}},
	{"events", "id", "action", "user_id", "at", func(n int) any {
		ids := []models.IDs{nil, {}, {1}, {3, 1, 1 << 40}}[n%4]
		return &models.Event{
			At: at(n), UserID: maybe(n, id(n)), Action: []string{"create", "list"}[n%2], Object: "patient", ObjectID: maybe(n+1, id(n)),
			PatientIDs: ids, Changes: models.Changes(fmt.Sprintf(`{"a": {"to": %d}}`, n)), Outcome: "ok", RequestID: word(n),
		}
	}},
	{"seals", "id", "mac", "last_id", "at", func(n int) any {
		return &models.Seal{At: at(n), EventIDs: models.IDs{id(n)}, LastID: id(n), Pending: models.IDs{}, RowMACs: "ab", MAC: word(n)}
	}},
	{"archives", "id", "file", "first_id", "until", func(n int) any {
		return &models.Archive{
			At: at(n), Until: at(n), File: word(n), SHA256: "ab", FirstID: id(n), FinalID: id(n), EventIDs: models.IDs{id(n)}, RowMACs: []byte(word(n)), KeyID: "k",
			MAC: "m", EventID: id(n), Done: n%2 == 0,
		}
	}},
	{"audit_proofs", "id", "text", "id", "", func(n int) any {
		return &models.AuditProof{Text: word(n), MAC: word(n)}
	}},
	{"idempotency_keys", "user_id, route, key", "route", "user_id", "created_at", func(n int) any {
		return &models.IdempotencyKey{UserID: id(n), Route: word(n), Key: fmt.Sprint(n), BodyHash: "b", CreatedAt: at(n)}
	}},
	{"backup_notes", "id", "", "id", "made_at", func(n int) any {
		return &models.BackupNote{MadeAt: at(n), CheckedAt: maybe(n, at(n))}
	}},
}

func userRow(n int) any {
	return &models.User{
		UserFields: models.UserFields{Username: fmt.Sprintf("%s %d", word(n), n), ProfileFields: models.ProfileFields{Email: fmt.Sprintf("E%d@Example.org", n), FirstName: word(n)}},
		IsStaff:    n%2 == 0, IsActive: n%3 > 0, CreatedAt: at(n), UpdatedAt: at(n + 1),
	}
}

func patientRow(n int) any {
	return &models.Patient{
		PatientFields: models.PatientFields{
			Name: word(n), DateOfBirth: models.Date([]string{"", "1984-02-29"}[n%2]), Gender: "other", Phone: fmt.Sprint(n), BloodGroup: []string{"", "AB-"}[n%2],
			Identifiers: []models.Identifiers{nil, {{System: "urn:a", Value: "<" + word(n) + ">"}}}[n%2],
		},
		CreatedBy: id(n / 2), CreatedAt: at(n), UpdatedAt: at(n), Version: int64(n + 1), DeletedAt: deleted(n),
	}
}

func doctorRow(n int) any {
	return &models.Doctor{
		DoctorFields: models.DoctorFields{Name: word(n), Specialization: "Surgery", LicenseNumber: []string{"", fmt.Sprint("L-", n)}[n%2], YearsOfExperience: maybe(n, n)},
		CreatedBy:    id(n / 2), CreatedAt: at(n), UpdatedAt: at(n), Version: 1, DeletedAt: deleted(n),
	}
}

func id(n int) int64 { return int64(n%seeded) + 1 }

func at(n int) time.Time { return clock.Add(time.Duration(n) * time.Hour) }

func word(n int) string { return []string{"Ana", "Öz", "ana", "Zoë\nß", "o'Hara", "?", "$1"}[n%7] }

// maybe is nil for every other row.
func maybe[T any](n int, v T) *T {
	if n%2 == 0 {
		return nil
	}
	return &v
}

func deleted(n int) gorm.DeletedAt {
	if n%3 != 2 {
		return gorm.DeletedAt{}
	}
	return gorm.DeletedAt{Time: at(n), Valid: true}
}

// new is a pointer to an empty struct; slice is a pointer to an empty slice.
func (m table) new() any   { return reflect.New(m.typ()).Interface() }
func (m table) slice() any { return reflect.New(reflect.SliceOf(m.typ())).Interface() }

func (m table) typ() reflect.Type { return reflect.TypeOf(m.row(0)).Elem() }

// rows is a pointer to a slice of rows.
func (m table) rows(from, n int) any {
	s := reflect.ValueOf(m.slice())
	for i := range n {
		s.Elem().Set(reflect.Append(s.Elem(), reflect.ValueOf(m.row(from+i)).Elem()))
	}
	return s.Interface()
}

// fill stores the first rows of all tables, before there is a plugin.
func fill(t *testing.T, db *gorm.DB) {
	t.Helper()
	for _, m := range tables {
		rows := m.rows(0, seeded)
		for i := range seeded {
			if hook, ok := reflect.ValueOf(rows).Elem().Index(i).Addr().Interface().(interface{ BeforeSave(*gorm.DB) error }); ok {
				require.NoError(t, hook.BeforeSave(db))
			}
		}
		require.NoError(t, db.Create(rows).Error, m.name)
	}
}

func TestEveryModelIsCompared(t *testing.T) {
	require.Len(t, tables, len(models.Tables))
	for i, model := range models.Tables {
		assert.IsType(t, model, tables[i].row(0))
	}
}

func TestBothDatabasesBeginWithTheSameRows(t *testing.T) {
	onBoth(t, func(t *testing.T, p *pair) { p.compareTables(t, "at first") })
}
