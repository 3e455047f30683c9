package backup

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm/schema"

	"healthcare/models"
)

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// sum counts and hashes every table, row by row in the order of its primary key.
func sum(ctx context.Context, q querier, progress Progress) (map[string]TableSum, error) {
	sums := map[string]TableSum{}
	for i, model := range models.Tables {
		s, err := schema.Parse(model, &sync.Map{}, schema.NamingStrategy{})
		if err != nil {
			return nil, err
		}
		if sums[s.Table], err = sumTable(ctx, q, s); err != nil {
			return nil, fmt.Errorf("table %s: %w", s.Table, err)
		}
		progress(int64(i+1), int64(len(models.Tables)))
	}
	return sums, nil
}

func sumTable(ctx context.Context, q querier, s *schema.Schema) (TableSum, error) {
	columns := slices.Sorted(slices.Values(s.DBNames))
	query := `SELECT "` + strings.Join(columns, `", "`) + `" FROM ` + s.Table + ` ORDER BY "` + strings.Join(s.PrimaryFieldDBNames, `", "`) + `"`
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return TableSum{}, err
	}
	defer func() { _ = rows.Close() }()
	hash := sha256.New()
	values := make([]any, len(columns))
	pointers := make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	var n int64
	for ; rows.Next(); n++ {
		if err := rows.Scan(pointers...); err != nil {
			return TableSum{}, err
		}
		for i, v := range values {
			if t, ok := v.(time.Time); ok {
				values[i] = t.UTC().Format(time.RFC3339Nano)
			}
		}
		if err := json.NewEncoder(hash).Encode(values); err != nil {
			return TableSum{}, err
		}
	}
	return TableSum{Rows: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, rows.Err()
}

// compare tells which table differs from the manifest.
func (m *Manifest) compare(sums map[string]TableSum) error {
	for table, want := range m.Tables {
		if got := sums[table]; got != want {
			return fmt.Errorf("table %s differs from the backup's manifest: %d rows, not %d, or other content", table, got.Rows, want.Rows)
		}
	}
	return nil
}
