package models

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/listing"
)

// Condition is a condition of a search, in SQL with a "?" for each value. Each finds patients or doctors, by the table that
// it is made for.
type Condition struct {
	sql    string
	values []any
}

// AnyOf is true if one of the conditions is.
func AnyOf(all ...Condition) Condition { return joinConditions(" OR ", "1 = 0", all) }

// AllOf is true if all of the conditions are.
func AllOf(all ...Condition) Condition { return joinConditions(" AND ", "1 = 1", all) }

// Not is true if the condition is not.
func Not(c Condition) Condition {
	return Condition{"NOT coalesce((" + c.sql + "), false)", c.values}
}

// Never is true of nothing.
var Never = Condition{sql: "1 = 0"}

func joinConditions(with, none string, all []Condition) Condition {
	if len(all) == 0 {
		return Condition{sql: none}
	}
	texts, values := make([]string, len(all)), []any{}
	for i, c := range all {
		texts[i] = "(" + c.sql + ")"
		values = append(values, c.values...)
	}
	return Condition{strings.Join(texts, with), values}
}

func (c Condition) scope(q *gorm.DB) *gorm.DB {
	if q.Name() == "postgres" {
		return q.Where(inPostgres().Replace(c.sql), c.values...)
	}
	return q.Where(c.sql, c.values...)
}

// IsOneOf compares a column. It is for columns that this program names.
func IsOneOf[T any](column string, wanted ...T) Condition {
	if len(wanted) == 0 {
		return Never
	}
	values := make([]any, len(wanted))
	for i, w := range wanted {
		values[i] = w
	}
	return Condition{column + " IN (?" + strings.Repeat(", ?", len(wanted)-1) + ")", values}
}

// Compares compares a column by one of = <> < > <= >=.
func Compares(column, operator string, value any) Condition {
	return Condition{sql: column + " " + operator + " ?", values: []any{value}}
}

// IsEmpty is true of texts and days that are not given.
func IsEmpty(column string) Condition {
	if strings.HasSuffix(column, "date_of_birth") {
		return Condition{sql: column + " IS NULL"}
	}
	return Condition{sql: column + " = ''"}
}

// like escapes what is a pattern in LIKE.
var like = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// apart are the signs after which a word begins, in plain names and in what is compared with them.
var apart = strings.NewReplacer("-", "- ", "'", "' ")

// NameBegins is true of names of which a word begins with a text, whatever its case and accents.
func NameBegins(table, text string) Condition { return nameLike(table, "% ", Plain(text)) }

// NameContains is true of names that contain a text, whatever its case and accents.
func NameContains(table, text string) Condition { return nameLike(table, "%", Plain(text)) }

// nameLike looks into the name in the plain form that searches use: the first line of the search text, after a line break.
// Where an index helps, it is that of the whole search text.
func nameLike(table, before, text string) Condition {
	rest := "substr(" + table + ".search_text, 2)"
	line := "substr(" + rest + ", 1, instr(" + rest + " || char(10), char(10)) - 1)"
	line = "replace(replace(" + line + ", '-', '- '), '''', ''' ')"
	text = like.Replace(text) + "%"
	return Condition{table + `.search_text LIKE ? ESCAPE '\' AND ' ' || ` + line + ` LIKE ? ESCAPE '\'`, []any{"%" + text, before + apart.Replace(text)}}
}

// inPostgres are the names that PostgreSQL has for what conditions use.
var inPostgres = sync.OnceValue(func() *strings.Replacer {
	return strings.NewReplacer("instr(", "strpos(", "char(10)", "chr(10)", "plain(patients.address)", plainInPostgres(),
		"lower(patients.email)", `lower(patients.email COLLATE "C")`, "lower(doctors.email)", `lower(doctors.email COLLATE "C")`, showedInSQLite, showedInPostgres)
})

// HasIdentifier is true of patients who have an identifier. Without a system, its value is of any.
func HasIdentifier(system, value string) Condition {
	one := Identifiers{{system, value}}.normalized()[0]
	const of = "patients.id IN (SELECT patient_id FROM patient_identifiers WHERE freed_at IS NULL AND "
	switch {
	case one.System == "":
		return Condition{of + "value = ?)", []any{one.Value}}
	case one.Value == "":
		return Condition{of + "system = ?)", []any{one.System}}
	}
	return Condition{of + "value = ? AND system = ?)", []any{one.Value, one.System}}
}

// HasLicense is true of doctors with a licence number, in any spelling of it.
func HasLicense(number string) Condition {
	return Condition{"doctors.license_key = ?", []any{nameKey(number)}}
}

// HasEmail is true of those with an e-mail address, in capital or small letters of ASCII: that is what lower() of SQLite
// knows, and that of PostgreSQL without the locale of the database.
func HasEmail(table, address string) Condition {
	folded := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, address)
	return Condition{"lower(" + table + ".email) = ?", []any{folded}}
}

// IsMember is true of patients to whom a doctor is assigned; with doctor 0, any.
func IsMember(doctor int64) Condition {
	const of = "EXISTS (SELECT 1 FROM mappings WHERE mappings.patient_id = patients.id AND mappings.deleted_at IS NULL"
	if doctor == 0 {
		return Condition{sql: of + ")"}
	}
	return Condition{of + " AND mappings.doctor_id = ?)", []any{doctor}}
}

// isRare is true of events that neither showed one record nor a list, as most do: those have an index of their own.
var isRare = Condition{sql: "events.action <> '" + ActionRead + "' AND events.action <> '" + ActionList + "'"}

// IsAction is true of the events of some actions, which are words of this program. The text holds them, because a database
// cannot tell from the value of a parameter that the index of what is rare is enough.
func IsAction(actions ...string) Condition {
	in := Condition{sql: "events.action IN ('" + strings.Join(actions, "', '") + "')"}
	if slices.Contains(actions, ActionRead) || slices.Contains(actions, ActionList) {
		return in
	}
	return AllOf(in, isRare)
}

// IsAbout is true of events that were about a patient, or of a list that showed it.
func IsAbout(patient int64) Condition {
	return Condition{"events.patient_id = ? OR " + showedInSQLite, []any{patient, patient}}
}

const (
	showedInSQLite   = "events.id IN (SELECT rowid FROM events_patients WHERE events_patients MATCH ?)"
	showedInPostgres = "events.patient_ids @> ARRAY[?]::bigint[]"
)

// Found is a page of what was found, and how many there are; -1 if nobody counted.
type Found[T any] struct {
	*listing.Page[T]
	Total int64
}

// FindPatients lists the patients that the actor may see and of whom the condition is true.
func (db *DB) FindPatients(ctx context.Context, by Actor, where Condition, values url.Values, count bool) (*Found[Patient], error) {
	return find[Patient](ctx, db, by, patientList, where, values, count, by.owns("patients.created_by"))
}

// FindDoctors lists the doctors of whom the condition is true.
func (db *DB) FindDoctors(ctx context.Context, by Actor, where Condition, values url.Values, count bool) (*Found[Doctor], error) {
	return find[Doctor](ctx, db, by, doctorList, where, values, count, everything)
}

func find[T any, R interface {
	*T
	subject
}](ctx context.Context, db *DB, by Actor, of listing.List, where Condition, values url.Values, count bool, visible scope) (*Found[T], error) {
	done, err := db.turns.Take(ctx, by.ID) // no index is made for each condition
	if err != nil {
		return nil, apierror.FromDatabase(err)
	}
	defer done()
	found := &Found[T]{Total: -1}
	err = db.readList(ctx, by, values, func(q *gorm.DB, client listing.Client) (err error) {
		if count {
			if err := q.Model(new(T)).Scopes(visible, where.scope).Count(&found.Total).Error; err != nil {
				return apierror.FromDatabase(err)
			}
		}
		found.Page, err = listing.Find[T](q, of, values, client, func(q *gorm.DB) *gorm.DB { return where.scope(visible(q)) })
		return err
	})
	found.Page, err = auditPage[T, R](db, by, found.Page, err)
	return found, err
}

// CreatePatientUnless creates a patient, unless there is one already of whom the condition is true. It tells whether it has
// created one.
func (db *DB) CreatePatientUnless(ctx context.Context, by Actor, there Condition, bind Bind[PatientFields]) (*Patient, bool, error) {
	return createUnless[Patient](ctx, db, by, there, by.owns("patients.created_by"), func(by Actor) (*Patient, error) { return db.CreatePatient(ctx, by, bind) })
}

// CreateDoctorUnless does the same for a doctor.
func (db *DB) CreateDoctorUnless(ctx context.Context, by Actor, there Condition, bind Bind[DoctorFields]) (*Doctor, bool, error) {
	return createUnless[Doctor](ctx, db, by, there, everything, func(by Actor) (*Doctor, error) { return db.CreateDoctor(ctx, by, bind) })
}

// errSeveral answers who wants one of several.
var errSeveral = &apierror.Error{Code: apierror.MultipleMatches, Detail: "Several match. Say more precisely which one."}

// createUnless looks and creates in one transaction. Those who ask for the same take turns.
func createUnless[T any, R interface {
	*T
	subject
}](ctx context.Context, db *DB, by Actor, there Condition, visible scope, create func(by Actor) (*T, error)) (row *T, made bool, err error) {
	if there.sql == Never.sql {
		row, err = create(by)
		return row, true, err
	}
	err = db.Write(ctx, by, func(tx *Tx) error {
		if err := tx.serialize(fmt.Sprint("if-none-exist ", there.sql, there.values)); err != nil {
			return err
		}
		var found []T
		if err := tx.Scopes(visible, there.scope).Order("id").Limit(2).Find(&found).Error; err != nil {
			return err
		}
		if made = len(found) == 0; !made {
			row = &found[0]
			if len(found) > 1 {
				return errSeveral
			}
			return nil
		}
		within := by
		within.within = tx
		row, err = create(within)
		return err
	})
	if about := R(new(T)).subject(); err == nil && !made && about.aboutPatient() {
		err = db.auditRead(by, row)
	}
	return row, made, err
}

// UpdatePatientFields is UpdatePatient of what everybody may write.
func (db *DB) UpdatePatientFields(ctx context.Context, by Actor, id int64, bind Bind[PatientFields]) (*Patient, error) {
	return db.UpdatePatient(ctx, by, id, func(in *PatientUpdate) apierror.Fields { return bind(&in.PatientFields) })
}
