package backup

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm/schema"
)

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// sum counts and hashes every table, row by row in the order of its primary key. The collation is the database's name
// for the order of bytes, which is the same in every language.
func sum(ctx context.Context, q querier, collation string, progress Progress) (map[string]TableSum, error) {
	all, err := schemas()
	if err != nil {
		return nil, err
	}
	sums := map[string]TableSum{}
	for i, s := range all {
		if sums[s.Table], err = sumTable(ctx, q, s, collation); err != nil {
			return nil, fmt.Errorf("table %s: %w", s.Table, err)
		}
		progress(int64(i+1), int64(len(all)))
	}
	return sums, nil
}

func sumTable(ctx context.Context, q querier, s *schema.Schema, collation string) (TableSum, error) {
	rows, err := q.QueryContext(ctx, selectAll(s, collation))
	if err != nil {
		return TableSum{}, err
	}
	defer func() { _ = rows.Close() }()
	hash := sha256.New()
	values := make([]any, len(s.DBNames))
	pointers := make([]any, len(s.DBNames))
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
