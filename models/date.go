package models

import (
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Date is a day as YYYY-MM-DD; empty means none, which is NULL in the database and null in JSON.
type Date string

const wrongDate = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."

// valid tells whether it is none, or a day that both databases hold.
func (d Date) valid() bool {
	t, err := time.Parse(time.DateOnly, string(d))
	return d == "" || err == nil && t.Year() > 0
}

// GormDataType is the column's type.
func (Date) GormDataType() string { return "date" }

// MarshalJSON writes the day, or null.
func (d Date) MarshalJSON() ([]byte, error) {
	if d == "" {
		return []byte("null"), nil
	}
	return []byte(`"` + string(d) + `"`), nil
}

// Value is what the database stores.
func (d Date) Value() (driver.Value, error) {
	if d == "" {
		return nil, nil
	}
	return string(d), nil
}

// DateValue is the same for pgx, which would try in vain to send a text as a date before it sends it as a text.
func (d Date) DateValue() (pgtype.Date, error) {
	if d == "" {
		return pgtype.Date{}, nil
	}
	t, err := time.Parse(time.DateOnly, string(d))
	return pgtype.Date{Time: t, Valid: true}, err
}

// Scan reads what the database returns.
func (d *Date) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = ""
	case time.Time:
		*d = Date(v.Format(time.DateOnly))
	case string:
		*d = Date(v)
	default:
		return fmt.Errorf("a date cannot be read from %T", src)
	}
	return nil
}
