package models

import (
	"strings"

	"gorm.io/gorm"
)

// appendOnlyTables are those whose rows the database itself refuses to change or to remove. A holder of the database can lift
// that; the seals show it.
var appendOnlyTables = []string{"events", "seals"}

// appendOnly makes the triggers that refuse. On PostgreSQL they look at a setting that ends with the transaction.
func appendOnly(g *gorm.DB) error {
	if g.Name() == "postgres" {
		return appendOnlyPostgres(g)
	}
	for _, table := range appendOnlyTables {
		for _, change := range []string{"UPDATE", "DELETE"} {
			err := g.Exec("CREATE TRIGGER IF NOT EXISTS " + table + "_no_" + strings.ToLower(change) + " BEFORE " + change +
				" ON " + table + " BEGIN SELECT RAISE(ABORT, '" + table + " is append-only'); END").Error
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func appendOnlyPostgres(g *gorm.DB) error {
	var there int64
	err := g.Raw("SELECT count(*) FROM pg_proc WHERE oid = to_regproc('append_only') AND prosrc LIKE '%healthcare.lifted%'").Scan(&there).Error
	if err == nil && there == 0 {
		err = g.Exec(`CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN IF current_setting('healthcare.lifted', true) IS DISTINCT FROM 'on' THEN
				RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END IF; RETURN NULL; END $$`).Error
	}
	for _, table := range appendOnlyTables {
		if err != nil {
			return err
		}
		err = g.Raw("SELECT count(*) FROM pg_trigger WHERE tgname = ? AND tgrelid = to_regclass(?)", table+"_append_only", table).Scan(&there).Error
		if err == nil && there == 0 {
			err = g.Exec("CREATE TRIGGER " + table + "_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON " + table +
				" FOR EACH STATEMENT EXECUTE FUNCTION append_only()").Error
		}
	}
	return err
}

// lift lets fn change what is append-only, which packing and erasing do. That ends with fn or, at the latest, with the
// transaction. On SQLite, which has one writer at a time, no other sees the triggers gone.
func (tx *Tx) lift(fn func() error) error {
	if tx.Name() == "postgres" {
		set := func(to string) error { return tx.Exec("SELECT set_config('healthcare.lifted', ?, true)", to).Error }
		if err := set("on"); err != nil {
			return err
		}
		if err := fn(); err != nil {
			return err
		}
		return set("off")
	}
	for _, table := range appendOnlyTables {
		for _, change := range []string{"update", "delete"} {
			if err := tx.Exec("DROP TRIGGER IF EXISTS " + table + "_no_" + change).Error; err != nil {
				return err
			}
		}
	}
	if err := fn(); err != nil {
		return err // and all is rolled back, the triggers' end too
	}
	return appendOnly(tx.DB)
}
