package models

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Actor is who asks: an account, and the request that it asks with.
type Actor struct {
	User
	SessionID int64
	RequestID string
	Address   string // of the client
	Network   string // what counts as one client: an IPv4 address, or the /64 of an IPv6 address
	UserAgent string
}

// sees narrows a query to the rows that belong to the actor; staff see all.
func (a Actor) sees(owner string) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		if a.IsStaff {
			return q
		}
		return q.Where(owner+" = ?", a.ID)
	}
}

// Tx is one transaction of one actor, at one time.
type Tx struct {
	*gorm.DB
	By  Actor
	Now time.Time
}

// Write runs fn in a transaction of its own. Every change to the data passes here, and nothing of it is kept unless
// all of it is. fn runs again if the database ended it in favour of another, so it must build what it stores itself.
func (db *DB) Write(ctx context.Context, by Actor, fn func(tx *Tx) error) error {
	for try := 1; ; try++ {
		err := db.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			return fn(&Tx{DB: tx, By: by, Now: now()})
		})
		if try == 5 || !isRetryable(err) {
			return Classify(err)
		}
	}
}

// lock loads one row into dest and keeps others from changing it until the transaction ends. (SQLite has one writer
// at a time, so it needs no lock and GORM leaves it out there.)
func (tx *Tx) lock(dest any, id int64, scopes ...func(*gorm.DB) *gorm.DB) error {
	return tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Scopes(scopes...).Where("id = ?", id).Take(dest).Error
}

// lockShared loads one row into dest and keeps others from changing or deleting it, but not from sharing it.
func (tx *Tx) lockShared(dest any, id int64, scopes ...func(*gorm.DB) *gorm.DB) error {
	return tx.Clauses(clause.Locking{Strength: clause.LockingStrengthShare}).Scopes(scopes...).Where("id = ?", id).Take(dest).Error
}

// serialize lets one transaction at a time do what is named, until it ends; on SQLite every write does so anyway.
func (tx *Tx) serialize(what string) error {
	if tx.Name() != "postgres" {
		return nil
	}
	return tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", what).Error
}

// store writes every column of a row that was locked before, but for when it was created.
func (tx *Tx) store(row any) error {
	done := tx.Select("*").Omit("id", "created_at", "deleted_at").Updates(row)
	if done.Error == nil && done.RowsAffected != 1 {
		return errors.New("a locked row was not there to be stored")
	}
	return done.Error
}

// hide marks the rows of a table as deleted; nothing is ever erased.
func (tx *Tx) hide(table any, where string, arg any) error {
	return tx.Model(table).Where(where, arg).UpdateColumn("deleted_at", tx.Now).Error
}

// Folded is a column of folded text that both databases order by code point.
type Folded string

// GormDBDataType makes PostgreSQL compare bytes whatever the database's locale is, as SQLite always does.
func (Folded) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	if db.Name() == "postgres" {
		return `text COLLATE "C"`
	}
	return "text"
}

// columns lists the columns of T that clients see, for a SELECT.
func columns[T any](table string) string {
	s, err := schema.Parse(new(T), &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		panic(err)
	}
	var names []string
	for _, f := range s.Fields {
		if f.DBName != "" && f.Tag.Get("json") != "-" {
			names = append(names, table+"."+f.DBName)
		}
	}
	return strings.Join(names, ", ")
}
