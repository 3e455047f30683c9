package models

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"
)

// oldText is true of a search text that an earlier version wrote. The texts of each table of which this is true are in
// an index of their own. So nothing else remembers how far they are renewed, and to see that none is left costs nothing.
const oldText = "substr(search_text, 1, 1) <> '\n'"

// searchable are the tables with search texts.
var searchable = []any{&User{}, &Doctor{}, &Patient{}}

func indexOldTexts(g *gorm.DB) error {
	for _, table := range []string{"patients", "doctors", "users"} {
		if g.Migrator().HasIndex(table, table+"_old_text") {
			continue
		}
		if err := g.Exec("CREATE INDEX " + table + "_old_text ON " + table + " (id) WHERE " + oldText).Error; err != nil {
			return err
		}
	}
	return nil
}

// lookForOldTexts tells whether there are any, and remembers it, because searches then look for them as an earlier
// version did. In order of ids, the index is what PostgreSQL reads; it would read the whole table to count.
func (db *DB) lookForOldTexts(ctx context.Context) (found bool, err error) {
	for _, table := range searchable {
		var ids []int64
		err := db.read.WithContext(ctx).Unscoped().Model(table).Where(oldText).Order("id").Limit(1).Pluck("id", &ids).Error
		if err != nil {
			return false, err
		}
		found = found || len(ids) > 0
	}
	db.oldTexts.Store(found)
	return found, nil
}

// How search texts are renewed: so many rows in one transaction, or pages of an index. Then others have as much time as
// it took.
const (
	renewEvery  = time.Minute
	renewAtOnce = 200
	tidyAtOnce  = 500
)

// KeepSearchable renews the search texts that an earlier version wrote, now and every minute until ctx ends: an instance
// of that version may still be running.
func (db *DB) KeepSearchable(ctx context.Context, log *slog.Logger) {
	repeat(ctx, renewEvery, nil, func() {
		if err := db.RenewSearchTexts(ctx, log); err != nil && ctx.Err() == nil {
			log.Warn("search texts cannot be renewed, it will be tried again", "error", err)
		}
	})
}

// RenewSearchTexts renews the search texts that an earlier version wrote. Where it was interrupted it goes on the next
// time. Several instances may do so at once. No record is changed by this, so there are no events of it.
func (db *DB) RenewSearchTexts(ctx context.Context, log *slog.Logger) error {
	if found, err := db.lookForOldTexts(ctx); err != nil || !found {
		return err
	}
	r := &renewal{DB: db, log: log, told: time.Now()}
	for _, table := range searchable {
		var n int64
		if err := db.read.WithContext(ctx).Unscoped().Model(table).Where(oldText).Count(&n).Error; err != nil {
			return err
		}
		r.total += n
	}
	log.Info("renewing the search texts of an earlier version", "rows", r.total)
	err := renewTexts(ctx, r, func(u *User) (int64, string) { _ = u.BeforeSave(nil); return u.ID, u.SearchText })
	if err == nil {
		err = renewTexts(ctx, r, func(d *Doctor) (int64, string) { _ = d.BeforeSave(nil); return d.ID, d.SearchText })
	}
	if err == nil {
		err = renewTexts(ctx, r, func(p *Patient) (int64, string) { _ = p.BeforeSave(nil); return p.ID, p.SearchText })
	}
	if err != nil {
		return err
	}
	log.Info("search texts are renewed", "rows", r.done)
	if _, err := db.lookForOldTexts(ctx); err != nil || r.done <= renewAtOnce {
		return err
	}
	return db.tidySearch(ctx)
}

// renewal is what RenewSearchTexts has done so far.
type renewal struct {
	*DB
	log         *slog.Logger
	done, total int64
	told        time.Time
}

// renewTexts renews a table. Text gives the text that a row should have.
func renewTexts[T any](ctx context.Context, r *renewal, text func(*T) (id int64, text string)) error {
	for last := int64(0); ; {
		began := time.Now()
		var ids []int64
		err := r.Write(ctx, Actor{}, func(tx *Tx) (err error) {
			ids, err = renewSome(tx, last, text)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		last = ids[len(ids)-1]
		r.done += int64(len(ids))
		if time.Since(r.told) > tellEvery {
			r.log.Info("renewing search texts", "done", r.done, "rows", r.total)
			r.told = time.Now()
		}
		if err := pause(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}

// tidySearch removes what renewed texts leave in SQLite's indexes of pieces: twice their size, and searches of common words
// took a third longer. It works in small steps, as FTS5's documentation says, until one has nothing left to do. On
// PostgreSQL that is autovacuum's work.
func (db *DB) tidySearch(ctx context.Context) error {
	for _, s := range searched {
		for pages := -tidyAtOnce; db.group != nil; pages = tidyAtOnce {
			began := time.Now()
			var before, after int64
			err := db.Write(ctx, Actor{}, func(tx *Tx) error {
				index := s.table + "_search"
				return errors.Join(tx.Raw("SELECT total_changes()").Scan(&before).Error,
					tx.Exec("INSERT INTO "+index+"("+index+", rank) VALUES ('merge', ?)", pages).Error,
					tx.Raw("SELECT total_changes()").Scan(&after).Error)
			})
			if err != nil {
				return err
			}
			if after-before < 2 {
				break
			}
			if err := pause(ctx, time.Since(began)); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewSome renews the texts of the first rows that follow the last one, and returns their ids. It reads each row after
// it has locked it, so that no text can be older than its row.
func renewSome[T any](tx *Tx, last int64, text func(*T) (id int64, text string)) (ids []int64, err error) {
	if err := tx.serialize("search texts"); err != nil {
		return nil, err
	}
	old := tx.Unscoped().Model(new(T)).Where(oldText).Where("id > ?", last).Order("id").Limit(renewAtOnce)
	if err := old.Pluck("id", &ids).Error; err != nil {
		return nil, err
	}
	var rows []T
	if err := tx.Unscoped().Scopes(tx.forNoKeyUpdate).Where("id IN ?", ids).Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	for i := range rows {
		id, renewed := text(&rows[i])
		if err := tx.Unscoped().Model(new(T)).Where("id = ?", id).UpdateColumn("search_text", renewed).Error; err != nil {
			return nil, err
		}
	}
	return ids, nil
}
