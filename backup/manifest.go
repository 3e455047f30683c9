package backup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm/schema"

	"healthcare/models"
)

// Manifest describes a backup.
type Manifest struct {
	MadeAt time.Time           `json:"made_at"`
	Kind   string              `json:"kind"` // sqlite or postgres
	Tables map[string]TableSum `json:"tables"`
}

// TableSum is what one table held.
type TableSum struct {
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

// Rows is the number of rows of all tables.
func (m *Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// check refuses the manifest of another kind of database, or of other tables than this program has.
func (m *Manifest) check(kind string) error {
	switch m.Kind {
	case kind:
	case "sqlite":
		return errors.New("this is a backup of SQLite; unset DATABASE_URL, or set it to sqlite:path")
	case "postgres":
		return errors.New("this is a backup of PostgreSQL; set DATABASE_URL to a PostgreSQL database")
	default:
		return errors.New("the backup's manifest does not tell of which database it is")
	}
	names, err := tableNames()
	if err != nil {
		return err
	}
	var wrong []string
	for _, name := range names {
		if _, ok := m.Tables[name]; !ok {
			wrong = append(wrong, "lacks the table "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tables)) {
		if !slices.Contains(names, name) {
			wrong = append(wrong, fmt.Sprintf("has an unknown table %q", name))
		}
	}
	if len(wrong) > 0 {
		return errors.New("the backup's manifest " + strings.Join(wrong, ", ") + "; only the version that made a backup restores it")
	}
	return nil
}

// compare tells which tables differ from the manifest.
func (m *Manifest) compare(sums map[string]TableSum) error {
	var differ []string
	for _, table := range slices.Sorted(maps.Keys(m.Tables)) {
		want, got := m.Tables[table], sums[table]
		switch {
		case got.Rows != want.Rows:
			differ = append(differ, fmt.Sprintf("table %s has %d rows, not %d", table, got.Rows, want.Rows))
		case got != want:
			differ = append(differ, fmt.Sprintf("table %s has other content", table))
		}
	}
	if len(differ) > 0 {
		return errors.New("the database differs from the backup's manifest: " + strings.Join(differ, ", "))
	}
	return nil
}

// schemas are the program's tables.
func schemas() ([]*schema.Schema, error) {
	var all []*schema.Schema
	for _, model := range models.Tables {
		s, err := schema.Parse(model, &sync.Map{}, schema.NamingStrategy{})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func tableNames() ([]string, error) {
	all, err := schemas()
	var names []string
	for _, s := range all {
		names = append(names, s.Table)
	}
	return names, err
}
