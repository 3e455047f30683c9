package models

import (
	"errors"
	"slices"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/fastgorm"
)

// belongings are the tables whose rows belong to a patient: they are hidden and restored with the patient, handed over and
// merged with it, and the audit trail tells who saw them. Such a table has the columns patient_id, owner_id (the patient's
// created_by), deleted_at and removed_with, as Mapping has. (A function, because the entries refer to it.)
func belongings() []table {
	return []table{
		{&Mapping{}, hideWith[Mapping], (*Tx).restoreMappings},
	}
}

type table struct {
	model         belonging
	hide, restore func(tx *Tx, patient Subject) error
}

// belonging is a row that belongs to a patient.
type belonging interface {
	subject
	gone() (action string, changes Changes) // its event when it goes with the patient
	back() (action string, changes Changes) // and when it comes back
}

// aboutPatient tells whether rows of this kind are data of a patient.
func (s Subject) aboutPatient() bool {
	return s.Object == objectPatient || slices.ContainsFunc(belongings(), func(t table) bool { return t.model.subject().Object == s.Object })
}

// hideBelongings hides all that belongs to a patient that is being deleted.
func (tx *Tx) hideBelongings(patient Subject) error {
	for _, t := range belongings() {
		if err := t.hide(tx, patient); err != nil {
			return err
		}
	}
	return nil
}

// restoreBelongings brings back all that went with a patient.
func (tx *Tx) restoreBelongings(patient Subject) error {
	for _, t := range belongings() {
		if err := t.restore(tx, patient); err != nil {
			return err
		}
	}
	return nil
}

// handOverBelongings gives all that belongs to a patient to a new owner, hidden rows too.
func (tx *Tx) handOverBelongings(patient, owner int64) error {
	for _, t := range belongings() {
		if err := tx.Unscoped().Model(t.model).Where("patient_id = ?", patient).UpdateColumn("owner_id", owner).Error; err != nil {
			return err
		}
	}
	return nil
}

// onceOf is what a table adds of whose rows a patient has one at most for each value of a column.
type onceOf interface{ onceOf() (column string) }

// standing is true of rows that are not hidden, or would come back.
const standing = "(deleted_at IS NULL OR removed_with <> '')"

// standingValues is a query for the values of a column of a patient's standing rows.
func (tx *Tx) standingValues(once onceOf, patient int64) *gorm.DB {
	return tx.Unscoped().Model(once).Select(once.onceOf()).Where("patient_id = ? AND "+standing, patient)
}

// moveBelongings gives all that belongs to a patient to another, hidden rows too. Of doubles, the other's stays; the
// patient's is left to be hidden with it.
func (tx *Tx) moveBelongings(from, into *Patient) error {
	for _, t := range belongings() {
		rows := tx.Unscoped().Model(t.model).Where("patient_id = ?", from.ID)
		if once, ok := t.model.(onceOf); ok {
			rows = rows.Where("NOT ("+standing+" AND "+once.onceOf()+" IN (?))", tx.standingValues(once, into.ID))
		}
		moved, err := tx.moveRows(t.model, rows, ActionMerge, from, into)
		if err != nil {
			return err
		}
		came := make([]MovedRow, len(moved))
		for i, id := range moved {
			came[i] = MovedRow{PatientID: from.ID, Object: t.model.subject().Object, ObjectID: id}
		}
		if len(came) == 0 {
			continue
		}
		if err := tx.CreateInBatches(came, eventBatch).Error; err != nil {
			return err
		}
	}
	return nil
}

// moveBelongingsBack undoes that. A double comes back only where the other's still stands: what was removed from one
// person was removed from both.
func (tx *Tx) moveBelongingsBack(from, into *Patient) error {
	for _, t := range belongings() {
		if once, ok := t.model.(onceOf); ok {
			gone := tx.Unscoped().Model(t.model).Where("patient_id = ? AND removed_with = ?", from.ID, objectPatient)
			gone = gone.Where(once.onceOf()+" NOT IN (?)", tx.standingValues(once, into.ID)).UpdateColumn("removed_with", "")
			if gone.Error != nil {
				return gone.Error
			}
		}
		if err := t.restore(tx, from.subject()); err != nil {
			return err
		}
		object := t.model.subject().Object
		came := tx.Model(&MovedRow{}).Select("object_id").Where("patient_id = ? AND object = ?", from.ID, object)
		rows := tx.Unscoped().Model(t.model).Where("patient_id = ? AND id IN (?)", into.ID, came)
		if _, err := tx.moveRows(t.model, rows, ActionUnmerge, into, from); err != nil {
			return err
		}
	}
	return tx.Where("patient_id = ?", from.ID).Delete(&MovedRow{}).Error
}

// moveRows gives rows of one patient to another, each with its event, and returns their ids.
func (tx *Tx) moveRows(model belonging, rows *gorm.DB, action string, from, to *Patient) (ids []int64, err error) {
	if err := rows.Scopes(tx.forUpdate).Order("id").Pluck("id", &ids).Error; err != nil {
		return nil, err
	}
	columns := map[string]any{"patient_id": to.ID, "owner_id": to.CreatedBy}
	for some := range slices.Chunk(ids, eventBatch) {
		events := make([]Event, len(some))
		for i, id := range some {
			events[i] = tx.By.event(tx.Now, action, Subject{model.subject().Object, id, to.ID})
			events[i].PatientIDs = bothOf(from, to)
			events[i].Changes = NewChanges(map[string]FromTo{"patient_id": {from.ID, to.ID}})
		}
		done := tx.Unscoped().Clauses(fastgorm.Also(events)).Model(model).Where("id IN ?", some).Updates(columns)
		if done.Error != nil {
			return nil, done.Error
		}
	}
	return ids, nil
}

// hideWith hides the rows of one table that belong to a patient, or to another record that is being deleted.
func hideWith[T any, R interface {
	*T
	belonging
}](tx *Tx, of Subject) error {
	var rows []T
	if err := tx.Scopes(tx.forUpdate).Where(of.Object+"_id = ?", of.ID).Order("id").Find(&rows).Error; err != nil {
		return err
	}
	return turn(tx, rows, R.gone, map[string]any{"deleted_at": tx.Now, "removed_with": of.Object})
}

// restoreWith brings back the rows of one table that went with a patient, or with another record.
func restoreWith[T any, R interface {
	*T
	belonging
}](tx *Tx, of Subject) error {
	var rows []T
	went := tx.Unscoped().Scopes(tx.forUpdate).Where(of.Object+"_id = ? AND removed_with = ?", of.ID, of.Object)
	if err := went.Order("id").Find(&rows).Error; err != nil {
		return err
	}
	return turn(tx, rows, R.back, map[string]any{"deleted_at": nil, "removed_with": ""})
}

// turn hides rows or brings them back, each with its event.
func turn[T any, R interface {
	*T
	belonging
}](tx *Tx, rows []T, event func(R) (string, Changes), columns map[string]any) error {
	for some := range slices.Chunk(rows, eventBatch) {
		ids, events := make([]int64, len(some)), make([]Event, len(some))
		for i := range some {
			row := R(&some[i])
			action, changes := event(row)
			ids[i], events[i] = row.subject().ID, tx.By.event(tx.Now, action, row.subject())
			events[i].Changes = changes
		}
		done := tx.Unscoped().Clauses(fastgorm.Also(events)).Model(new(T)).Where("id IN ?", ids).Updates(columns)
		if done.Error != nil {
			return done.Error
		}
	}
	return nil
}

// mustHavePatient refuses to restore alone what belongs to a deleted patient. (Nothing here is restored alone yet.)
func (tx *Tx) mustHavePatient(of Subject) error {
	if of.PatientID == 0 {
		return nil
	}
	err := tx.Scopes(tx.forShare).Select("id").Take(&Patient{}, of.PatientID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return &apierror.Error{Code: apierror.Conflict, Detail: "Its patient has been deleted. Restore the patient."}
	}
	return err
}
