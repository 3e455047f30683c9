package models

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// cleanupEvery is how often KeepClean cleans up.
const cleanupEvery = time.Hour

// KeepClean removes what has outlived its use, and packs the seals of the audit trail, now and every hour until ctx ends.
func (db *DB) KeepClean(ctx context.Context, log *slog.Logger) {
	repeat(ctx, cleanupEvery, nil, func() {
		if err := db.Cleanup(ctx); err != nil && ctx.Err() == nil {
			log.Warn("clean-up failed, it will be tried again", "error", err)
		}
		if err := db.PackSeals(ctx, now().Add(-packAfter)); err != nil && ctx.Err() == nil {
			log.Warn("the seals of the audit trail cannot be packed, it will be tried again", "error", err)
		}
	})
}

// repeat does something now, then each time that some time has passed or that it is woken, until ctx ends.
func repeat(ctx context.Context, every time.Duration, wake <-chan struct{}, do func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		do()
		select {
		case <-tick.C:
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}

// pause leaves the database to others for a while, between two batches of long work.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Cleanup removes sessions that have ended or expired a day ago, their refresh tokens, failed logins that no lock
// counts any more, tokens of invitations that expired a day ago, idempotency keys that are forgotten, and imports whose
// reader ended in the middle.
func (db *DB) Cleanup(ctx context.Context) error {
	forgotten := db.forgetImports(ctx, readTooLong)
	return errors.Join(forgotten, db.Write(ctx, Actor{}, func(tx *Tx) error {
		yesterday := tx.Now.Add(-24 * time.Hour)
		over := tx.Model(&Session{}).Select("id").Where("expires_at < ? OR ended_at < ?", yesterday, yesterday)
		if err := tx.Where("expires_at < ? OR session_id IN (?)", yesterday, over).Delete(&RefreshToken{}).Error; err != nil {
			return err
		}
		unused := "NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id)"
		if err := tx.Where("expires_at < ? OR ended_at < ?", yesterday, yesterday).Where(unused).Delete(&Session{}).Error; err != nil {
			return err
		}
		if err := tx.Where("expires_at < ?", yesterday).Delete(&Invitation{}).Error; err != nil {
			return err
		}
		if err := tx.Where("created_at < ?", tx.Now.Add(-rememberFor)).Delete(&IdempotencyKey{}).Error; err != nil {
			return err
		}
		if err := tx.removeOldBeats(yesterday); err != nil {
			return err
		}
		return tx.Where("at < ?", tx.Now.Add(-accountWindow-accountLock)).Delete(&LoginFailure{}).Error
	}))
}
