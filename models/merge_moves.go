package models

import (
	"fmt"
	"slices"

	"healthcare/apierror"
)

// MovedRow says of a row that belongs to a patient from whom it came there by a merge. As long as the merge stands, it is
// here; what is merged on has one for each merge.
type MovedRow struct {
	ID        int64  `gorm:"primaryKey"`
	PatientID int64  `gorm:"not null;index:moved_rows_patient"` // from whom
	Object    string `gorm:"not null"`                          // what it is, as events call it
	ObjectID  int64  `gorm:"not null"`

	Patient *Patient `gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

// moveIdentifiers adds a patient's identifiers to another's. The one keeps its own list, of which the table is free, to know
// what goes back.
func (tx *Tx) moveIdentifiers(from, into *Patient) error {
	came := from.Identifiers.without(into.Identifiers)
	wanted := slices.Concat(into.Identifiers, came)
	if len(wanted) > mostIdentifiers {
		says := fmt.Sprintf("Together they have %d entries. Ensure they have no more than %d.", len(wanted), mostIdentifiers)
		return apierror.Fields{"identifiers": {says}}.Err()
	}
	if err := tx.freeIdentifiers(from.subject()); err != nil {
		return err
	}
	into.Identifiers = wanted
	return tx.addIdentifiers(into, into.CreatedBy, came, &from.ID)
}

// moveIdentifiersBack gives a patient back those that came with it and are still there. What both had, both keep, unless
// their patients share a scope by now.
func (tx *Tx) moveIdentifiersBack(from, into *Patient) error {
	var came []PatientIdentifier
	if err := tx.Where("patient_id = ? AND merged_from = ?", into.ID, from.ID).Find(&came).Error; err != nil {
		return err
	}
	kept, back := into.Identifiers, Identifiers(nil)
	for _, one := range came {
		kept = kept.without(Identifiers{{one.System, one.Value}})
	}
	for _, one := range from.Identifiers {
		if slices.Contains(into.Identifiers, one) && (!slices.Contains(kept, one) || tx.scopeOf(from.CreatedBy) != tx.scopeOf(into.CreatedBy)) {
			back = append(back, one)
		}
	}
	if err := tx.storeIdentifiers(into, into.Identifiers, into.CreatedBy, kept); err != nil {
		return err
	}
	if err := tx.storeIdentifiers(from, from.Identifiers, from.CreatedBy, back); err != nil {
		return err
	}
	into.Identifiers, from.Identifiers = kept, back
	return tx.takeIdentifiersBack(from.subject())
}
