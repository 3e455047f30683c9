// The tests run the same chains on stock GORM and on GORM with the plugin, each on a database of its own with the same
// rows, and compare all that a caller can see: rows, RowsAffected and the error. They begin with pair_test.go.
package fastgorm_test

import (
	"errors"
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m, addTables) }

// addTables adds what no model has: tables of odd types, and a rule by which the database refuses some events, see
// refusedEvent.
func addTables(address string) error {
	db, pool, err := connect(address)
	if err != nil {
		return err
	}
	refuse := "ALTER TABLE events ADD CONSTRAINT refused CHECK (outcome <> 'refused')"
	own := []any{&Thing{}, &Plain{}, &Odd{}, &Hooked{}}
	if db.Name() == "sqlite" {
		refuse = "CREATE TRIGGER refused BEFORE INSERT ON events WHEN new.outcome = 'refused' BEGIN SELECT RAISE(ABORT, 'refused'); END"
	} else {
		own = append(own, &Kinds{})
	}
	err = errors.Join(
		db.AutoMigrate(own...),
		db.Exec("CREATE TABLE nameds (id text PRIMARY KEY DEFAULT 'made', name text)").Error,
		db.Exec(refuse).Error,
	)
	return errors.Join(err, pool.Close())
}
