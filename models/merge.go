package models

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"healthcare/apierror"
	"healthcare/fastgorm"
)

// Merge is the body that says into which patient another one is merged.
type Merge struct {
	Into int64 `json:"into" validate:"required"`
}

// MergePatients makes one patient of two who are the same person: what belongs to the one is given to the other, and the
// one is hidden. It is for staff. What has been done already is not done again, whatever If-Match says (RFC 9110, 13.1.1).
func (db *DB) MergePatients(ctx context.Context, by Actor, id int64, bind Bind[Merge]) (*Patient, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var in Merge
	errs := bind.Validated(&in)
	var into *Patient
	repeated := false
	err := db.Write(ctx, by, func(tx *Tx) error {
		tx.auditIfRefused(ActionMerge, Subject{Object: objectPatient, ID: id})
		from, other, err := tx.lockTwo(id, in.Into)
		if into = other; err != nil {
			return err
		}
		if repeated = from.mergedInto(in.Into) && len(errs) == 0 && !into.deleted(); repeated {
			return nil
		}
		if from.deleted() {
			return from.away()
		}
		if err := errors.Join(by.checkIfMatch(from.ETag()), mayTake(into, from, in.Into, maps.Clone(errs))); err != nil {
			return err
		}
		return tx.merge(from, into)
	})
	if err == nil && repeated {
		err = db.auditRead(by, into)
	}
	return into, err
}

// mayTake tells what is wrong with merging a patient into another one, which may be missing.
func mayTake(into, from *Patient, id int64, errs apierror.Fields) error {
	switch {
	case len(errs) > 0:
	case id == from.ID:
		errs.Add("into", "A patient cannot be merged into itself.")
	case into == nil:
		_ = addIfMissing(errs, "into", id, gorm.ErrRecordNotFound)
	case into.MergedInto != nil:
		errs.Add("into", fmt.Sprintf("This patient has been merged into patient %d.", *into.MergedInto))
	case into.deleted():
		errs.Add("into", "This patient has been deleted.")
	}
	return errs.Err()
}

// UnmergePatient takes a merge back: what came with it goes back as it is now. What has been added since stays, and what
// has been removed since stays removed. It is for staff.
func (db *DB) UnmergePatient(ctx context.Context, by Actor, id int64) (*Patient, error) {
	if !by.IsStaff {
		return nil, apierror.ErrForbidden
	}
	var from *Patient
	done := false
	err := db.Write(ctx, by, func(tx *Tx) error {
		tx.auditIfRefused(ActionUnmerge, Subject{Object: objectPatient, ID: id})
		var seen Patient
		err := tx.Unscoped().Take(&seen, id).Error
		if err != nil {
			return err
		}
		with := id
		if seen.MergedInto != nil {
			with = *seen.MergedInto
		}
		var into *Patient
		if from, into, err = tx.lockTwo(id, with); err != nil {
			return err
		}
		if done = !from.deleted(); done {
			return nil
		}
		if !from.mergedInto(with) { // it is deleted, or was merged into another one meanwhile
			return from.away()
		}
		if err := errors.Join(by.checkIfMatch(from.ETag()), mayGiveBack(into), tx.mustBeLastOf(from, into)); err != nil {
			return err
		}
		return tx.unmerge(from, into)
	})
	if err == nil && done {
		err = db.auditRead(by, from)
	}
	return from, err
}

// mayGiveBack refuses to take from a patient who is hidden itself.
func mayGiveBack(into *Patient) error {
	var says string
	switch {
	case into.MergedInto != nil:
		says = fmt.Sprintf("Patient %d has been merged into patient %d since. Unmerge that one first.", into.ID, *into.MergedInto)
	case into.deleted():
		says = fmt.Sprintf("Patient %d, into whom it was merged, has been deleted since. Restore that one first.", into.ID)
	default:
		return nil
	}
	return &apierror.Error{Code: apierror.Conflict, Detail: says}
}

// mustBeLastOf refuses to take back a merge before a later one into the same patient: what both brought stands there once,
// and would go with the first.
func (tx *Tx) mustBeLastOf(from, into *Patient) error {
	var later []int64
	merged := tx.Unscoped().Model(&Patient{}).Where("merged_into = ? AND updated_at > ?", into.ID, from.UpdatedAt)
	if err := merged.Order("updated_at DESC").Limit(1).Pluck("id", &later).Error; err != nil || len(later) == 0 {
		return err
	}
	says := fmt.Sprintf("Patient %d has been merged into patient %d since. Unmerge that one first.", later[0], into.ID)
	return &apierror.Error{Code: apierror.Conflict, Detail: says}
}

// lockTwo finds two patients, hidden ones too, and keeps them as they are. The one must be there; the other is nil if it is
// not. All lock in the order of ids, so that nobody waits for who waits for him.
func (tx *Tx) lockTwo(id, otherID int64) (one, other *Patient, err error) {
	var found []Patient
	err = tx.Unscoped().Scopes(tx.forUpdate).Where("id IN ?", []int64{id, otherID}).Order("id").Find(&found).Error
	for i := range found {
		if found[i].ID == id {
			one = &found[i]
		}
		if found[i].ID == otherID {
			other = &found[i]
		}
	}
	if err == nil && one == nil {
		err = apierror.ErrNotFound
	}
	return one, other, err
}

func (p *Patient) mergedInto(id int64) bool { return p.MergedInto != nil && *p.MergedInto == id }

// away answers whoever asks for a hidden patient. Only staff may be told where it is.
func (p *Patient) away() error {
	if p.MergedInto == nil {
		return apierror.ErrNotFound
	}
	says := fmt.Sprintf("Not found. It has been merged into patient %d.", *p.MergedInto)
	return &apierror.Error{Code: apierror.NotFound, Detail: says, MergedInto: *p.MergedInto}
}

func (tx *Tx) merge(from, into *Patient) error {
	had := into.Identifiers
	if err := tx.moveIdentifiers(from, into); err != nil {
		return err
	}
	if err := tx.moveBelongings(from, into); err != nil {
		return err
	}
	if err := tx.hideBelongings(from.subject()); err != nil { // the doubles
		return err
	}
	from.MergedInto, from.DeletedAt = &into.ID, gorm.DeletedAt{Time: tx.Now, Valid: true}
	return errors.Join(
		tx.storeMerged(ActionMerge, from, into, from.Identifiers, "merged_into", FromTo{nil, into.ID}),
		tx.storeMerged(ActionMerge, into, from, had, "merged_from", FromTo{nil, from.ID}))
}

func (tx *Tx) unmerge(from, into *Patient) error {
	fromHad, intoHad := from.Identifiers, into.Identifiers
	if err := tx.moveBelongingsBack(from, into); err != nil {
		return err
	}
	if err := tx.moveIdentifiersBack(from, into); err != nil {
		return err
	}
	from.MergedInto, from.DeletedAt = nil, gorm.DeletedAt{}
	return errors.Join(
		tx.storeMerged(ActionUnmerge, from, into, fromHad, "merged_into", FromTo{into.ID, nil}),
		tx.storeMerged(ActionUnmerge, into, from, intoHad, "merged_from", FromTo{from.ID, nil}))
}

// storeMerged stores the next version of one of two patients, with an event that names both, and the identifiers if they
// have changed.
func (tx *Tx) storeMerged(action string, p, other *Patient, had Identifiers, field string, merged FromTo) error {
	p.changed(tx.Now)
	e := tx.By.event(tx.Now, action, p.subject())
	changes := map[string]FromTo{field: merged}
	if !slices.Equal(had, p.Identifiers) {
		changes["identifiers"] = FromTo{had, p.Identifiers}
	}
	e.PatientIDs, e.Changes = bothOf(p, other), NewChanges(changes)
	return tx.Unscoped().Clauses(fastgorm.Also(&e)).Select("*").Omit("created_at").Updates(p).Error
}

func bothOf(p, other *Patient) IDs { return IDs{min(p.ID, other.ID), max(p.ID, other.ID)} }

// mustNotBeMerged refuses to restore what must be unmerged.
func (tx *Tx) mustNotBeMerged(patient Subject) error {
	var p Patient
	if err := tx.Unscoped().Select("merged_into").Take(&p, patient.ID).Error; err != nil || p.MergedInto == nil {
		return err
	}
	says := fmt.Sprintf("It was not deleted, but merged into patient %d. Unmerge it.", *p.MergedInto)
	return &apierror.Error{Code: apierror.Conflict, Detail: says}
}

// whereItWent tells staff into whom a patient was merged that is not found.
func (db *DB) whereItWent(ctx context.Context, by Actor, id int64, err error) error {
	if !by.IsStaff || !errors.Is(err, apierror.ErrNotFound) {
		return err
	}
	var p Patient
	if found := db.read.WithContext(ctx).Unscoped().Select("merged_into").Where("merged_into IS NOT NULL").Take(&p, id); found.Error != nil {
		return err
	}
	return p.away()
}

// allOf are a patient's id and the ids of those who have been merged into it, also by way of others.
func allOf(q *gorm.DB, patient int64) (all []int64, err error) {
	for next := []int64{patient}; len(next) > 0; {
		all = append(all, next...)
		merged := q.Unscoped().Model(&Patient{}).Where("merged_into IN ? AND id NOT IN ?", next, all)
		next = nil
		if err := merged.Pluck("id", &next).Error; err != nil {
			return nil, err
		}
	}
	return all, nil
}
