package models

import (
	"context"
	"errors"

	"healthcare/config"
)

// Rotation is what RotateAuditKey has done.
type Rotation struct {
	From, To string // ids of keys; From is "" if the key is lost
	Seal     string // the HMAC of the handover
}

// RotateAuditKey hands the audit trail over to another key: to AUDIT_KEY or, where the keys are kept beside the database,
// to a new one. It takes one seal, which both keys make: the former proves that it hands the trail over, and the new one
// that it takes the trail as it is. From then on, whoever has the former key only can neither seal nor forge. If the
// former key is lost, the trail begins anew: all events are sealed once more, as they are now.
//
// Servers that run seal nothing until they are started again with the new key; what they store meanwhile is sealed then.
func RotateAuditKey(ctx context.Context, cfg *config.Config, lost bool) (*Rotation, error) {
	if cfg.AuditKey == "" && !cfg.KeepsAuditKeys() {
		return nil, errors.New("AUDIT_KEY is not set: set it to a new key (openssl rand -base64 48), and AUDIT_OLD_KEYS to what sealed before." +
			" (Without an AUDIT_KEY, that was JWT_SECRET.)")
	}
	db, err := openAnyKey(ctx, cfg)
	if err != nil {
		return nil, err
	}
	done, err := db.rotateKey(ctx, lost)
	if err != nil {
		_ = db.Close() // which can seal nothing
		return nil, err
	}
	return done, db.Close()
}

func (db *DB) rotateKey(ctx context.Context, lost bool) (*Rotation, error) {
	var s Seal
	id, mac := db.remembered()
	err := db.Write(ctx, Actor{}, func(tx *Tx) error {
		if err := tx.serialize("seal"); err != nil {
			return err
		}
		var last Seal
		if err := newestSeal(tx.DB, &last); err != nil {
			return err
		}
		if err := db.inPlace(tx.DB, id, mac, last); err != nil {
			return err
		}
		former, err := db.formerKey(tx, last, lost)
		if err != nil {
			return err
		}
		s = db.handover(tx, former, last)
		e := tx.By.event(tx.Now, ActionRotate, Subject{Object: objectKey})
		e.Changes = NewChanges(map[string]FromTo{"key_id": {From: last.turn(), To: db.auditKeys[0].id}})
		return errors.Join(tx.Create(&s).Error, tx.Create(&e).Error)
	})
	if err != nil {
		return nil, err
	}
	done := &Rotation{From: s.KeyID, To: db.auditKeys[0].id, Seal: s.MAC}
	if s.Anew {
		done.From = ""
	}
	return done, db.rememberEnd(s)
}

// formerKey is the key whose turn it is, nil if it is lost. It makes the next one where keys are kept beside the
// database; as this is done by one process at a time, no key that seals is ever replaced there.
func (db *DB) formerKey(tx *Tx, last Seal, lost bool) (*auditKey, error) {
	if err := db.loadKeys(tx.DB); err != nil {
		return nil, err
	}
	err := db.sealedByUs(tx.DB, last)
	var other *AuditKeyError
	known := err == nil || errors.As(err, &other) && other.former
	switch {
	case lost && known:
		return nil, errors.New("the key of the audit trail is not lost: leave --old-key-lost out")
	case err == nil && !db.cfg.KeepsAuditKeys():
		return nil, errors.New("the audit trail is sealed with this AUDIT_KEY already: set AUDIT_KEY to a new one, and AUDIT_OLD_KEYS to this one")
	case err == nil:
		return db.replaceKeptKey(tx, last)
	case known:
		if err := db.makeLostKey(tx); err != nil {
			return nil, err
		}
		key, _ := db.keyOf(other.Needs)
		return &key, nil
	case other == nil || !lost:
		return nil, err
	}
	return nil, db.makeLostKey(tx)
}

// makeLostKey makes a key where none is kept though one should be.
func (db *DB) makeLostKey(tx *Tx) error {
	if !db.cfg.LostAuditKeys() {
		return nil
	}
	return errors.Join(db.cfg.NewAuditKey(), db.loadKeys(tx.DB))
}

// replaceKeptKey makes a new key, and returns the one that it takes the place of.
func (db *DB) replaceKeptKey(tx *Tx, last Seal) (*auditKey, error) {
	former := db.auditKeys[0]
	if last.ID != 0 && db.cfg.LostAuditKeys() {
		if err := db.cfg.KeepJWTSecretAsAuditKey(); err != nil {
			return nil, err
		}
	}
	if err := db.cfg.NewAuditKey(); err != nil {
		return nil, err
	}
	return &former, db.loadKeys(tx.DB)
}

// handover is the seal that hands the trail over from a key, or that begins it anew if there is none.
func (db *DB) handover(tx *Tx, former *auditKey, last Seal) Seal {
	ours := db.auditKeys[0]
	s := Seal{At: tx.Now, EventIDs: IDs{}, Pending: IDs{}, Gaps: IDs{}, Format: sealFormat}
	if former == nil {
		s.KeyID, s.Anew = ours.id, true
		s.MAC = ours.chain(last.MAC, s)
		return s
	}
	s.KeyID, s.NextKeyID = former.id, ours.id
	s.LastID, s.Gaps = last.LastID, flat(gapsOf(last))
	s.MAC = former.chain(last.MAC, s)
	s.NextMAC = ours.accept(last.MAC, s)
	return s
}
