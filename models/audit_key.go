package models

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"

	"gorm.io/gorm"

	"healthcare/config"
)

// auditKey is a key that seals the audit trail. The seals name it by its id, which does not tell the key. What a seal
// says of its key is believed only because that very key made the seal's HMAC, of which the id is a part.
type auditKey struct {
	id  string
	key []byte
}

func newAuditKey(secret config.Secret) (auditKey, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "audit trail", sha256.Size)
	if err != nil {
		return auditKey{}, err
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte("id"))
	return auditKey{hex.EncodeToString(h.Sum(nil)[:8]), key}, nil
}

func (k auditKey) newMAC() hash.Hash { return hmac.New(sha256.New, k.key) }

// sealFormat is how seals are made now; 0 is that of earlier versions, which are still proved. A new format needs a number
// of its own: it is part of what is sealed, so that nobody can have a seal read as one of another format.
const sealFormat = digestFormat

// chain is the HMAC of a seal and of the one before it.
func (k auditKey) chain(previous string, s Seal) string {
	h := k.newMAC()
	h.Write(sealedText(previous, s))
	return hex.EncodeToString(h.Sum(nil))
}

// accept is the HMAC with which the next key accepts a handover: it covers the HMAC of the former key.
func (k auditKey) accept(previous string, s Seal) string {
	h := k.newMAC()
	h.Write([]byte("accept " + s.MAC + " "))
	h.Write(sealedText(previous, s))
	return hex.EncodeToString(h.Sum(nil))
}

func sealedText(previous string, s Seal) []byte {
	all := []any{
		"seal", s.Format, s.KeyID, s.NextKeyID, s.Anew, previous, s.At.UnixMicro(), []int64(s.EventIDs), s.LastID, s.RowMACs, []int64(s.Gaps),
	}
	if s.Format == 0 {
		all = []any{previous, s.At.UnixMicro(), []int64(s.EventIDs), s.LastID, []int64(s.Pending), s.RowMACs}
		if s.Gaps != nil {
			all = append(all, []int64(s.Gaps))
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // of numbers and strings: cannot happen
	}
	return text
}

// made tells whether the key made a seal. Of a packed one it tells whether it was packed by who has the key; that it follows
// from the previous one shows when all that it stands for is computed again.
func (k auditKey) made(previous string, s Seal) bool {
	if s.Format != 0 && s.KeyID != k.id {
		return false
	}
	if len(s.Packed) > 0 {
		return k.packed(s)
	}
	return hmac.Equal([]byte(s.MAC), []byte(k.chain(previous, s)))
}

// goesOn tells whether it is this key's turn after a seal: it made it, or it accepted the trail with it.
func (k auditKey) goesOn(previous string, s Seal) bool {
	if s.NextKeyID != "" {
		return s.NextKeyID == k.id && hmac.Equal([]byte(s.NextMAC), []byte(k.accept(previous, s)))
	}
	return k.made(previous, s)
}

// turn is the id of the key whose turn it is after a seal, as the seal says; "" if it is too old to say so.
func (s Seal) turn() string {
	if s.NextKeyID != "" {
		return s.NextKeyID
	}
	return s.KeyID
}

// AuditKeyError says that the audit trail is sealed with a key that is not the configured one. That is no sign of a forgery:
// keys are replaced. All of them may be needed to prove the trail, only the newest to go on with it.
type AuditKeyError struct {
	Needs    string // the id of the key that is needed, "" if the seal is too old to name it
	Has      string // of the key that is configured
	former   bool   // the key is among the former ones
	part     bool   // it has sealed a part of the trail only, and the configured one goes on with it
	instead  bool   // JWT_SECRET stands in for AUDIT_KEY
	keptFile string // the file that holds the keys, if it is not there
}

func (e *AuditKeyError) Error() string {
	needs := "another key"
	if e.Needs != "" {
		needs = "the key " + e.Needs
	}
	if e.former {
		return fmt.Sprintf("the audit trail is sealed with %s, which is among the former ones, and has not gone over to the key %s yet."+
			"\n  To go over: healthcare audit rotate-key"+
			"\n  (If you have not replaced the key, somebody who holds the former one may have replaced the trail:"+
			" compare it with a seal that you noted.)", needs, e.Has)
	}
	if e.part {
		return "a part of the audit trail is sealed with " + needs + ", which is not at hand: set AUDIT_OLD_KEYS to the former AUDIT_KEY" +
			" (or to the former JWT_SECRET, if there was no AUDIT_KEY)"
	}
	says := fmt.Sprintf("the audit trail is sealed with %s, but the configured one is %s", needs, e.Has)
	if e.instead {
		says += " (of JWT_SECRET, as AUDIT_KEY is not set)"
	}
	says += "."
	if e.keptFile != "" {
		says += "\n  The file " + e.keptFile + " is not there: if it was, put it back from where you keep your secrets (no backup holds it)."
	}
	return says +
		"\n  If other servers have gone over to a new AUDIT_KEY: start this one with the same." +
		"\n  If JWT_SECRET or AUDIT_KEY was replaced: set AUDIT_OLD_KEYS to what it was before, and AUDIT_KEY to a key of its own" +
		" (openssl rand -base64 48); then run: healthcare audit rotate-key" +
		"\n  If the former key is lost for good: healthcare audit rotate-key --old-key-lost"
}

// loadKeys reads the keys that are configured or kept.
func (db *DB) loadKeys(q *gorm.DB) error {
	var last Seal
	if err := newestSeal(q, &last); err != nil {
		return err
	}
	secrets, err := db.cfg.AuditKeys(last.ID != 0)
	if err != nil {
		return err
	}
	db.auditKeys = nil
	for _, s := range secrets {
		key, err := newAuditKey(s)
		if err != nil {
			return err
		}
		db.auditKeys = append(db.auditKeys, key)
	}
	return nil
}

// checkKey refuses to open a database whose audit trail is sealed with another key. A seal that was changed is no reason
// not to serve: it is told by the sealer, and named by VerifyAudit.
func (db *DB) checkKey(ctx context.Context) error {
	q := db.read.WithContext(ctx)
	var last Seal
	if err := newestSeal(q, &last); err != nil {
		return err
	}
	err := db.sealedByUs(q, last)
	if errors.As(err, new(*AuditKeyError)) {
		return err
	}
	if err == nil && last.ID != 0 && db.cfg.LostAuditKeys() { // an earlier version, whose key was JWT_SECRET
		return db.cfg.KeepJWTSecretAsAuditKey()
	}
	return nil
}

var errSealChanged = errors.New("the newest seal of the audit trail was changed. Nothing is sealed any more;" +
	" healthcare audit verify tells what is wrong")

// sealedByUs refuses to go on with a chain where it is not our key's turn: an instance or a command that was started with a
// wrong key would break it for good.
func (db *DB) sealedByUs(q *gorm.DB, last Seal) error {
	if last.ID == 0 {
		return nil
	}
	var before Seal
	if err := newestSeal(q.Where("id < ?", last.ID), &before); err != nil {
		return err
	}
	i := slices.IndexFunc(db.auditKeys, func(k auditKey) bool { return k.goesOn(before.MAC, last) })
	if i == 0 {
		return nil
	}
	if i > 0 {
		return db.keyError(db.auditKeys[i].id, true)
	}
	lies := last.turn() == db.auditKeys[0].id || before.Format != 0 && !last.Anew && last.KeyID != before.turn()
	if last.Format == 0 { // all seals so far are of one key
		var first Seal
		if err := q.Order("id").Limit(1).Find(&first).Error; err != nil {
			return err
		}
		_, lies = db.madeBy("", first)
	}
	if lies {
		return errSealChanged
	}
	return db.keyError(last.turn(), false)
}

// madeBy finds the key that made a seal.
func (db *DB) madeBy(previous string, s Seal) (auditKey, bool) {
	return db.keyThat(func(k auditKey) bool { return k.made(previous, s) })
}

// keyOf finds a key by its id.
func (db *DB) keyOf(id string) (auditKey, bool) {
	return db.keyThat(func(k auditKey) bool { return k.id == id })
}

func (db *DB) keyThat(is func(auditKey) bool) (auditKey, bool) {
	if i := slices.IndexFunc(db.auditKeys, is); i >= 0 {
		return db.auditKeys[i], true
	}
	return auditKey{}, false
}

func (db *DB) keyError(needs string, former bool) *AuditKeyError {
	e := &AuditKeyError{Needs: needs, Has: db.auditKeys[0].id, former: former}
	if db.cfg.LostAuditKeys() {
		e.keptFile = db.cfg.AuditKeyFile()
	}
	e.instead = db.cfg.AuditKey == "" && (!db.cfg.KeepsAuditKeys() || e.keptFile != "")
	return e
}
