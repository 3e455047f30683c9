package models

import (
	"bytes"
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"healthcare/apierror"
)

// Identifier is a number by which a patient is known: a clinic's file number, an insurer's number. The system says whose
// number it is, as a URI.
//
// Both are stored in Unicode's form NFKC, so that full-width digits are digits, and then compared letter by letter, as
// FHIR has it: whether A-17 and a-17 are one number is for the system to say, and to refuse a right number is worse than
// to take a wrong one.
type Identifier struct {
	System string `json:"system" validate:"required,max=255,uri"`
	Value  string `json:"value" validate:"required,max=255,shown"`
}

const (
	maxIdentifier   = 255 // characters, of a system and of a value
	mostIdentifiers = 20  // of one patient, see PatientFields
)

// uriLike is a scheme and what may stand in a URI. No bar is in it, so ?identifier=system|value has one meaning.
var uriLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9!#$%&'()*+,./:;=?@_~\[\]\-]+$`)

// shown refuses characters that nobody sees, line breaks among them.
func shown(s string) bool {
	return visible(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) })
}

// Identifiers are those of one patient, in the order in which they were given: JSON in the patient's own row, so that
// reading them costs nothing, and NULL if there are none. The table of PatientIdentifier keeps them unique.
type Identifiers []Identifier

// GormDataType is the column's type.
func (Identifiers) GormDataType() string { return "text" }

// MarshalJSON writes a list, also of none.
func (all Identifiers) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(append([]Identifier{}, all...))
	return bytes.TrimSpace(text.Bytes()), err
}

// Value is what the database stores.
func (all Identifiers) Value() (driver.Value, error) {
	if len(all) == 0 {
		return nil, nil
	}
	text, err := all.MarshalJSON()
	return string(text), err
}

// TextValue is the same for pgx.
func (all Identifiers) TextValue() (pgtype.Text, error) {
	text, err := all.MarshalJSON()
	return pgtype.Text{String: string(text), Valid: len(all) > 0}, err
}

// Scan reads what the database returns.
func (all *Identifiers) Scan(src any) error {
	*all = nil
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), (*[]Identifier)(all))
	case []byte:
		return json.Unmarshal(v, (*[]Identifier)(all))
	}
	return fmt.Errorf("identifiers cannot be read from %T", src)
}

// normalized are the identifiers in the form in which they are stored. What is too long stays, and is refused for that.
func (all Identifiers) normalized() Identifiers {
	if len(all) == 0 {
		return nil
	}
	for i := range all {
		for _, s := range []*string{&all[i].System, &all[i].Value} {
			if len(*s) <= maxIdentifier*utf8.UTFMax {
				*s = Trim(norm.NFKC.String(*s))
			}
		}
	}
	return all
}

func (p *PatientFields) normalize() { p.Identifiers = p.Identifiers.normalized() }

// searched are the values that a search looks into: as many as fit. An index of the search text is limited to 2704 bytes
// on PostgreSQL, and a name and an e-mail may take 2100. The filter ?identifier= finds all.
func (all Identifiers) searched() (values []string) {
	room := 512
	for _, one := range all {
		if size := len(Plain(one.Value)) + 1; size <= room {
			room -= size
			values = append(values, one.Value)
		}
	}
	return values
}

// without are those that are not among others.
func (all Identifiers) without(others Identifiers) (rest Identifiers) {
	for _, one := range all {
		if !slices.Contains(others, one) {
			rest = append(rest, one)
		}
	}
	return rest
}

// PatientIdentifier is one identifier in a table of its own, whose unique index decides who has it, also when many ask at
// once. It is written in the transaction that writes the patient's row, which has the truth; a patient without
// identifiers has no row here. While its patient is deleted, it is free for others.
//
// Indexes:
//
//	patient_identifiers_unique   (scope_id, value, system), unique   of what is not free
//	patient_identifiers_value    (value, system)                     ?identifier=
//	patient_identifiers_patient  (patient_id)                        what goes and comes with a patient
type PatientIdentifier struct {
	ID        int64 `gorm:"primaryKey"`
	PatientID int64 `gorm:"not null;index:patient_identifiers_patient"`
	// ScopeID is the account among whose patients the identifier is unique: the patient's created_by, and 0 for all patients
	// where PATIENT_ACCESS is clinic. (Instances of one database must not differ in that.)
	ScopeID int64      `gorm:"not null;uniqueIndex:patient_identifiers_unique,priority:1,where:freed_at IS NULL"`
	Value   string     `gorm:"not null;uniqueIndex:patient_identifiers_unique,priority:2;index:patient_identifiers_value,priority:1"`
	System  string     `gorm:"not null;uniqueIndex:patient_identifiers_unique,priority:3;index:patient_identifiers_value,priority:2"`
	FreedAt *time.Time // when the patient was deleted or merged
	// MergedFrom is the patient it came from by a merge, as long as the merge stands.
	MergedFrom *int64
	Patient    *Patient `gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// identifierTaken answers whoever was the slower one of two.
const identifierTaken = "Another patient has one of these identifiers."

func (db *DB) sharesPatients() bool { return db.cfg.PatientAccess == "clinic" }

// scopeOf is the scope of the identifiers of an account's patients.
func (tx *Tx) scopeOf(owner int64) int64 {
	if tx.clinic {
		return 0
	}
	return owner
}

// scopeIdentifiers brings the scopes up to date at the start, after PATIENT_ACCESS was changed. Where two accounts have a
// patient with the same identifier each, the patients cannot be shared yet: the error names them by their ids.
func (db *DB) scopeIdentifiers(ctx context.Context) error {
	wrong, right := "scope_id = 0", any(gorm.Expr("(SELECT created_by FROM patients WHERE patients.id = patient_identifiers.patient_id)"))
	if db.sharesPatients() {
		wrong, right = "scope_id <> 0", 0
	}
	if found := db.read.WithContext(ctx).Where(wrong).Limit(1).Find(&PatientIdentifier{}); found.Error != nil || found.RowsAffected == 0 {
		return found.Error // nearly always: a start waits for nobody who writes
	}
	err := db.Write(ctx, Actor{}, func(tx *Tx) error {
		return tx.Model(&PatientIdentifier{}).Where(wrong).UpdateColumn("scope_id", right).Error
	})
	if !apierror.IsDuplicate(err) {
		return err
	}
	const most = 100
	taken := db.read.WithContext(ctx).Model(&PatientIdentifier{}).Where("freed_at IS NULL")
	twice := taken.Session(&gorm.Session{}).Select("value, system").Group("value, system").Having("count(*) > 1")
	var ids []int64
	err = taken.Where("(value, system) IN (?)", twice).Distinct("patient_id").Order("patient_id").Limit(most).Pluck("patient_id", &ids).Error
	if err != nil {
		return err
	}
	return fmt.Errorf("PATIENT_ACCESS is clinic, but these patients of several accounts share an identifier: %s."+
		" Start with PATIENT_ACCESS=own, change them, and start again", strings.Trim(fmt.Sprint(ids), "[]"))
}

// checkIdentifiers adds those that another patient of the owner has to what is wrong. The unique index decides; this only
// gives the client all of its errors at once.
func (tx *Tx) checkIdentifiers(p *Patient, owner int64, wanted Identifiers, errs apierror.Fields) error {
	if len(wanted) == 0 || errs["identifiers"] != nil {
		return nil
	}
	values := make([]string, len(wanted))
	for i, one := range wanted {
		values[i] = one.Value
	}
	var taken []PatientIdentifier
	err := tx.Where("scope_id = ? AND patient_id <> ? AND value IN ? AND freed_at IS NULL", tx.scopeOf(owner), p.ID, values).Find(&taken).Error
	for i, one := range wanted {
		if slices.ContainsFunc(taken, func(t PatientIdentifier) bool { return t.System == one.System && t.Value == one.Value }) {
			errs.Add("identifiers", fmt.Sprintf("Entry %d: another patient has this identifier.", i+1))
		}
	}
	return err
}

// storeIdentifiers makes the table agree with what a patient is about to be, or has just become. Was is what it agrees with
// so far.
func (tx *Tx) storeIdentifiers(p *Patient, was Identifiers, owner int64, wanted Identifiers) error {
	for _, gone := range was.without(wanted) {
		old := tx.Where("patient_id = ? AND value = ? AND system = ?", p.ID, gone.Value, gone.System)
		if err := old.Delete(&PatientIdentifier{}).Error; err != nil {
			return err
		}
	}
	if owner != p.CreatedBy {
		moved := tx.Model(&PatientIdentifier{}).Where("patient_id = ?", p.ID).UpdateColumn("scope_id", tx.scopeOf(owner))
		if moved.Error != nil {
			return apierror.ConflictIfDuplicate(moved.Error, identifierTaken)
		}
	}
	return tx.addIdentifiers(p, owner, wanted.without(was), nil)
}

// addIdentifiers stores identifiers that a patient does not have yet.
func (tx *Tx) addIdentifiers(p *Patient, owner int64, added Identifiers, mergedFrom *int64) error {
	rows := tx.rowsOf(p, owner, added)
	for i := range rows {
		rows[i].MergedFrom = mergedFrom
	}
	return apierror.ConflictIfDuplicate(tx.claim(rows), identifierTaken)
}

// claim stores identifiers in one order, so that two who want the same ones do not wait for each other.
func (tx *Tx) claim(rows []PatientIdentifier) error {
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b PatientIdentifier) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.System, b.System))
	})
	return tx.Create(&rows).Error
}

// rowsOf are the rows of some identifiers of a patient.
func (tx *Tx) rowsOf(p *Patient, owner int64, all Identifiers) []PatientIdentifier {
	rows := make([]PatientIdentifier, len(all))
	for i, one := range all {
		rows[i] = PatientIdentifier{PatientID: p.ID, ScopeID: tx.scopeOf(owner), System: one.System, Value: one.Value}
	}
	return rows
}

// freeIdentifiers lets others have the identifiers of a patient that is being deleted.
func (tx *Tx) freeIdentifiers(patient Subject) error {
	return tx.Model(&PatientIdentifier{}).Where("patient_id = ?", patient.ID).UpdateColumn("freed_at", tx.Now).Error
}

// takeIdentifiersBack undoes that, unless another patient has one of them by now.
func (tx *Tx) takeIdentifiersBack(patient Subject) error {
	err := tx.Model(&PatientIdentifier{}).Where("patient_id = ?", patient.ID).UpdateColumn("freed_at", nil).Error
	return apierror.ConflictIfDuplicate(err, identifierTaken)
}

// identifiedBy is the scope of ?identifier=system|value, or just the value.
func identifiedBy(text string) (scope, error) {
	if text == "" {
		return everything, nil
	}
	if len(text) > 2*maxIdentifier*utf8.UTFMax+1 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, apierror.Fields{"identifier": {"Use system|value, or a value, of no more than 255 characters each."}}.Err()
	}
	one := Identifier{Value: text}
	if system, value, ok := strings.Cut(text, "|"); ok && uriLike.MatchString(Trim(norm.NFKC.String(system))) {
		one = Identifier{system, value}
	}
	one = Identifiers{one}.normalized()[0]
	return func(q *gorm.DB) *gorm.DB {
		if one.System == "" {
			return q.Where("patients.id IN (SELECT patient_id FROM patient_identifiers WHERE value = ?)", one.Value)
		}
		return q.Where("patients.id IN (SELECT patient_id FROM patient_identifiers WHERE value = ? AND system = ?)", one.Value, one.System)
	}, nil
}
