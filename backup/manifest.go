package backup

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
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
	case "postgres":
		return errors.New("this is a backup of PostgreSQL; set DATABASE_URL to a PostgreSQL database (healthcare move then takes it to SQLite)")
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

// MadeBefore finds the backups in a folder that were made before a time.
func MadeBefore(folder string, when time.Time) (files []string, err error) {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		if m, err := manifestOf(file); err == nil && m.MadeAt.Before(when) { // other files are no backups
			files = append(files, file)
		}
	}
	return files, err
}

// manifestOf reads the manifest of a backup.
func manifestOf(file string) (*Manifest, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = z.Close() }()
	text, err := fs.ReadFile(z, backupManifest)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	return m, json.Unmarshal(text, m)
}
