package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"healthcare/apierror"
)

// IdempotencyKey remembers what a creation answered, for 24 hours, per account and route. It is stored in the
// transaction that created, so that either both are there or neither.
type IdempotencyKey struct {
	UserID    int64     `gorm:"primaryKey;autoIncrement:false"`
	Route     string    `gorm:"primaryKey"`
	Key       string    `gorm:"primaryKey"`
	BodyHash  string    `gorm:"not null"`
	Answer    string    `gorm:"not null"`
	CreatedAt time.Time `gorm:"not null;index:idempotency_keys_created"`
	User      *User     `gorm:"constraint:OnUpdate:RESTRICT,OnDelete:RESTRICT"`
}

const rememberFor = 24 * time.Hour

// Retry is what a client sent to make a creation safe to repeat.
type Retry struct {
	Key      string // of the Idempotency-Key header
	Route    string
	BodyHash string
	Replayed bool // set when the answer is that of an earlier request
}

func (r *Retry) replayed() bool { return r != nil && r.Replayed }

var (
	errKeyReused      = &apierror.Error{Code: apierror.KeyReused, Detail: "This Idempotency-Key was used before with another body."}
	errNotSeenAnyMore = &apierror.Error{Code: apierror.KeyReused, Detail: "This Idempotency-Key was used before, for a patient whom you may not see any more."}
)

// idempotently runs a creation, or returns what the earlier one with the same key made. A second one at the same time
// waits here for the first to commit or to roll back. Failures are not remembered, because they roll back.
func idempotently[T any](tx *Tx, creation func() (*T, error)) (*T, error) {
	retry := tx.By.Retry
	if retry == nil {
		return creation()
	}
	retry.Replayed = false
	key := IdempotencyKey{UserID: tx.By.ID, Route: retry.Route, Key: retry.Key, BodyHash: retry.BodyHash, CreatedAt: tx.Now}
	if err := tx.Where("created_at < ?", tx.Now.Add(-rememberFor)).Delete(&key).Error; err != nil {
		return nil, err
	}
	inserted := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&key)
	if inserted.Error != nil {
		return nil, inserted.Error
	}
	if inserted.RowsAffected == 0 {
		return replay[T](tx, tx.Take(&key).Error, &key)
	}
	made, err := creation()
	if err != nil {
		return nil, err
	}
	answer, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	return made, tx.Model(&key).UpdateColumn("answer", string(answer)).Error
}

// replay is the remembered answer, if the actor may still see whose it is.
func replay[T any](tx *Tx, err error, key *IdempotencyKey) (*T, error) {
	if err != nil {
		return nil, err
	}
	if key.BodyHash != tx.By.Retry.BodyHash {
		return nil, errKeyReused
	}
	made := new(T)
	if err := json.Unmarshal([]byte(key.Answer), made); err != nil {
		return nil, err
	}
	if of, ok := any(made).(subject); ok && of.subject().patient() != 0 {
		visible := tx.Unscoped().Scopes(tx.By.owns("created_by")).Select("id")
		switch err := visible.Take(&Patient{}, of.subject().patient()).Error; {
		case errors.Is(err, gorm.ErrRecordNotFound):
			return nil, errNotSeenAnyMore
		case err != nil:
			return nil, err
		}
	}
	tx.By.Retry.Replayed = true
	return made, nil
}

// forgetAnswers removes the answers that hold a patient who is erased, or what belonged to it.
func (tx *Tx) forgetAnswers(patient int64) error {
	var keys []IdempotencyKey
	id := fmt.Sprintf(`%%id":%d`, patient)
	if err := tx.Where("answer LIKE ? OR answer LIKE ?", id+",%", id+"}%").Find(&keys).Error; err != nil {
		return err
	}
	for _, k := range keys {
		var about struct {
			ID        int64 `json:"id"`
			PatientID int64 `json:"patient_id"`
		}
		if err := json.Unmarshal([]byte(k.Answer), &about); err != nil {
			return err
		}
		if about.PatientID != patient && (about.ID != patient || !strings.Contains(k.Route, "/patients")) {
			continue
		}
		if err := tx.Delete(&k).Error; err != nil {
			return err
		}
	}
	return nil
}
