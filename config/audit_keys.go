package config

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Secrets are keys that are no longer used, but for what was made with them. They may be weak: they were chosen before.
type Secrets []Secret

// UnmarshalText reads secrets that are separated by commas, or a line each; one that holds a comma is in double quotes.
func (s *Secrets) UnmarshalText(text []byte) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.LazyQuotes, r.TrimLeadingSpace, r.FieldsPerRecord = true, true, -1
	lines, err := r.ReadAll()
	if err != nil {
		return errors.New("must be former keys, separated by commas")
	}
	for _, one := range slices.Concat(lines...) {
		if one != "" {
			*s = append(*s, Secret(one))
		}
	}
	return nil
}

// auditKeyFile is where the keys of an embedded database's audit trail are kept, if no AUDIT_KEY is set.
func auditKeyFile(database string) string { return Linked(database) + ".audit-keys" }

// keptKeys is what that file holds.
type keptKeys struct {
	Newest string   `json:"newest"`
	Former []string `json:"former"` // the newer first
}

// KeepsAuditKeys tells whether the keys of the audit trail are in a file beside the database.
func (c *Config) KeepsAuditKeys() bool { return c.AuditKey == "" && c.Database.SQLite != "" }

// AuditKeys are the key that seals the audit trail, and after it the former ones. Without an AUDIT_KEY, that of an embedded
// database is made at random at the first start and kept beside it, which needs to know whether there are seals already:
// if there are, but no file, they are an earlier version's, which sealed with JWT_SECRET, or the file was lost. (So look for
// seals before you ask: who seals has the file.) On PostgreSQL, JWT_SECRET takes the place of AUDIT_KEY.
func (c *Config) AuditKeys(sealed bool) (Secrets, error) {
	former := c.AuditOldKeys
	if c.Database.SQLite != "" {
		kept, err := readKeys(auditKeyFile(c.Database.SQLite))
		if errors.Is(err, fs.ErrNotExist) && c.KeepsAuditKeys() && !sealed {
			kept, err = c.firstKey(Secret(randomSecret()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		former = slices.Concat(kept, former)
	}
	switch {
	case c.AuditKey != "":
		return slices.Concat(Secrets{c.AuditKey}, former), nil
	case c.Database.Postgres != "" || c.LostAuditKeys():
		return slices.Concat(Secrets{c.JWTSecret}, former), nil
	}
	return former, nil
}

// LostAuditKeys tells that the file with the keys is not there.
func (c *Config) LostAuditKeys() bool {
	_, err := os.Stat(auditKeyFile(c.Database.SQLite))
	return c.KeepsAuditKeys() && errors.Is(err, fs.ErrNotExist)
}

// AuditKeyFile names the file with the keys, from everywhere.
func (c *Config) AuditKeyFile() string { return absolute(auditKeyFile(c.Database.SQLite)) }

// KeepJWTSecretAsAuditKey takes over what an earlier version has sealed with, so that it goes on when JWT_SECRET is
// replaced.
func (c *Config) KeepJWTSecretAsAuditKey() error {
	_, err := c.firstKey(c.JWTSecret)
	return err
}

// firstKey makes the file, unless another process was faster, and returns what it holds.
func (c *Config) firstKey(key Secret) (Secrets, error) {
	path := auditKeyFile(c.Database.SQLite)
	if err := writeKeys(path, Secrets{key}, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("AUDIT_KEY is not set, and none could be kept beside the database: %w", err)
	}
	return readKeys(path)
}

// NewAuditKey puts a new random key before those that are kept. One process at a time may do so.
func (c *Config) NewAuditKey() error {
	path := auditKeyFile(c.Database.SQLite)
	kept, err := readKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeKeys(path, slices.Concat(Secrets{Secret(randomSecret())}, kept), os.Rename)
}

func writeKeys(path string, keys Secrets, publish func(from, to string) error) error {
	all := keptKeys{Newest: string(keys[0]), Former: []string{}}
	for _, k := range keys[1:] {
		all.Former = append(all.Former, string(k))
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return WriteWhole(path, append(text, '\n'), publish)
}

func readKeys(path string) (Secrets, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all keptKeys
	if err := json.Unmarshal(text, &all); err != nil || len(all.Newest) < minSecret {
		return nil, fmt.Errorf("%s does not hold the keys of the audit trail; put it back from where you keep your secrets", path)
	}
	keys := Secrets{Secret(all.Newest)}
	for _, k := range all.Former {
		keys = append(keys, Secret(k))
	}
	return keys, nil
}
