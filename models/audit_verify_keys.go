package models

import (
	"fmt"
)

// start finds the first seal to prove, which is the one that began the trail anew if there is one, and the key that made it.
func (v *verification) start() error {
	var anew, first Seal
	if err := newestSeal(v.q.Where("anew = ?", true), &anew); err != nil {
		return err
	}
	if err := newestSeal(v.q.Where("id < ?", anew.ID), &v.last); err != nil {
		return err
	}
	if err := v.q.Model(&Seal{}).Where("id < ?", anew.ID).Count(&v.report.Unproved).Error; err != nil {
		return err
	}
	v.last, v.report.Anew = Seal{ID: v.last.ID, MAC: v.last.MAC}, anew.At // no event is covered yet
	if err := v.q.Where("id > ?", v.last.ID).Order("id").Limit(1).Find(&first).Error; err != nil {
		return err
	}
	var known bool
	if v.key, known = v.db.madeBy(v.last.MAC, first); known {
		return nil
	}
	// Either its key is not at hand, or it was changed. An earlier version's seal does not name its key, but the first that
	// does names it: one key made all before.
	v.key = v.db.auditKeys[0]
	naming := first
	if first.Format == 0 {
		naming = Seal{} // else GORM looks for this very one
		if err := v.q.Where("format <> 0").Order("id").Limit(1).Find(&naming).Error; err != nil || naming.ID == 0 {
			return err
		}
	}
	return v.turn(naming.KeyID)
}

// turn goes on with the key of an id.
func (v *verification) turn(id string) error {
	key, known := v.db.keyOf(id)
	if !known {
		return &AuditKeyError{Needs: id, Has: v.db.auditKeys[0].id, part: true}
	}
	v.key = key
	return nil
}

// handOver goes on with the next key after a seal that hands the trail over to it.
func (v *verification) handOver(previous string, s Seal) error {
	if s.NextKeyID == "" {
		return nil
	}
	if err := v.turn(s.NextKeyID); err != nil {
		return err
	}
	if !v.key.goesOn(previous, s) {
		return fmt.Errorf("seal %d, which hands the trail over to the key %s, was not accepted with that key", s.ID, s.NextKeyID)
	}
	return nil
}
