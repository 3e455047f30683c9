//go:build programs

package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/glebarez/go-sqlite"  // the driver "sqlite"
	_ "github.com/jackc/pgx/v5/stdlib" // and the driver "pgx"
)

// database is one that this program made.
type database struct {
	url  string // as DATABASE_URL
	drop func() error
	*sql.DB
}

const usualPostgres = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"

// newDatabase makes an empty database: a file in dir, or one on the PostgreSQL server at TEST_DATABASE_URL.
func newDatabase(ctx context.Context, kind, dir string) (*database, error) {
	if kind == "sqlite" {
		path := filepath.Join(dir, "attack.db")
		db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(20000)&_pragma=synchronous(OFF)")
		if err != nil {
			return nil, err
		}
		return &database{"sqlite:" + path, db.Close, db}, nil
	}
	address := os.Getenv("TEST_DATABASE_URL")
	if address == "" {
		address = usualPostgres
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("TEST_DATABASE_URL is no address")
	}
	admin, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	name := "clinic_attack_" + strings.ToLower(rand.Text()[:8])
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, errors.Join(fmt.Errorf("PostgreSQL at TEST_DATABASE_URL or 127.0.0.1:5432: %w", err), admin.Close())
	}
	u.Path = "/" + name
	db, err := sql.Open("pgx", u.String())
	drop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := db.Close()
		_, dropped := admin.ExecContext(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		return errors.Join(err, dropped, admin.Close())
	}
	return &database{u.String(), drop, db}, err
}

// copyPatient adds so many copies of a patient, of whom everything but the number is the same.
func (db *database) copyPatient(ctx context.Context, id int64, copies int) error {
	const columns = "name, date_of_birth, gender, phone, email, address, blood_group, allergies, medical_history, " +
		"created_by, created_at, updated_at, version, name_key, search_text"
	_, err := db.ExecContext(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) "+
		"INSERT INTO patients ("+columns+") SELECT "+columns+" FROM patients, n WHERE id = $1", id, copies)
	return err
}

// fillTexts puts texts of a patient in place that the API might refuse.
func (db *database) fillTexts(ctx context.Context, id int64, address, text string) error {
	_, err := db.ExecContext(ctx, "UPDATE patients SET address = $1, allergies = $2, medical_history = $3 WHERE id = $4", address, text, text, id)
	return err
}
