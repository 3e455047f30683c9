package models

import (
	"context"
	"log/slog"
	"time"
)

// cleanupEvery is how often KeepClean cleans up.
const cleanupEvery = time.Hour

// KeepClean removes what has outlived its use, now and every hour until ctx ends.
func (db *DB) KeepClean(ctx context.Context, log *slog.Logger) {
	for tick := time.NewTicker(cleanupEvery); ; {
		if err := db.Cleanup(ctx); err != nil && ctx.Err() == nil {
			log.Warn("clean-up failed, it will be tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// Cleanup removes sessions that have ended or expired a day ago, their refresh tokens, failed logins that no lock
// counts any more, and idempotency keys that are forgotten.
func (db *DB) Cleanup(ctx context.Context) error {
	return db.Write(ctx, Actor{}, func(tx *Tx) error {
		yesterday := tx.Now.Add(-24 * time.Hour)
		over := tx.Model(&Session{}).Select("id").Where("expires_at < ? OR ended_at < ?", yesterday, yesterday)
		if err := tx.Where("expires_at < ? OR session_id IN (?)", yesterday, over).Delete(&RefreshToken{}).Error; err != nil {
			return err
		}
		unused := "NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id)"
		if err := tx.Where("expires_at < ? OR ended_at < ?", yesterday, yesterday).Where(unused).Delete(&Session{}).Error; err != nil {
			return err
		}
		if err := tx.Where("created_at < ?", tx.Now.Add(-rememberFor)).Delete(&IdempotencyKey{}).Error; err != nil {
			return err
		}
		return tx.Where("at < ?", tx.Now.Add(-accountWindow-accountLock)).Delete(&LoginFailure{}).Error
	})
}
