package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// minSecret is the key size that HS256 needs, in bytes (RFC 7518, section 3.2).
const minSecret = 32

// Secret is a key that never shows up in print.
type Secret string

// UnmarshalText refuses a secret that is too short to sign with, or a pattern that can be guessed.
func (s *Secret) UnmarshalText(text []byte) error {
	const makeOne = "; make one with: openssl rand -base64 48"
	if len(text) < minSecret {
		return errors.New("must be at least 32 bytes" + makeOne)
	}
	if strength(string(text)) < minStrength {
		return errors.New("must not repeat itself or count up, which can be guessed" + makeOne)
	}
	*s = Secret(text)
	return nil
}

// String hides the secret from fmt and from logs.
func (Secret) String() string { return "[secret]" }

// secretFile is where the secret of an embedded database is kept. Earlier versions kept it beside a link to the database.
func secretFile(database string) string {
	if beside := database + ".secret"; isThere(beside) {
		return beside
	}
	return Linked(database) + ".secret"
}

// Linked is where a path leads to by links, also if there is no file yet. What belongs to a database is beside that file.
func Linked(path string) string {
	target, err := filepath.EvalSymlinks(path)
	if err == nil {
		return target
	}
	if target, noLink := os.Readlink(path); noLink == nil && errors.Is(err, fs.ErrNotExist) {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return Linked(target)
	}
	return path
}

// KeepSecret sees to it that there is a JWT_SECRET. For an embedded database that has none set, it is in a file beside the
// database. The first start makes it; of several that start at once, one wins and all use its secret. A database that is
// there already has lost its secret when there is none: another is not made in silence, because it ends every session.
func (c *Config) KeepSecret() error {
	database := c.Database.SQLite
	if c.JWTSecret != "" || database == "" {
		return nil
	}
	old := isThere(database) // before the secret is looked for: others may be making both
	var err error
	path := secretFile(database)
	c.JWTSecret, err = readSecret(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && old:
		return Errors{fmt.Sprintf("JWT_SECRET: not set, and its file %[1]s is gone, though the database is there. Put the file back from where you"+
			" keep your secrets (no backup holds it), or set JWT_SECRET. If it is lost, make another, and everybody has to log in again:"+
			" (umask 077; openssl rand -base64 48 > %[1]s)", absolute(path))}
	case errors.Is(err, fs.ErrNotExist):
		if err = WriteWhole(path, []byte(randomSecret()), os.Link); err == nil || errors.Is(err, fs.ErrExist) {
			c.JWTSecret, err = readSecret(path)
		}
	}
	if err != nil {
		return Errors{"JWT_SECRET: not set, and none could be kept beside the database: " + err.Error()}
	}
	return nil
}

// isThere tells whether a file is there and holds anything.
func isThere(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// randomSecret is a new secret of 48 random bytes.
func randomSecret() string {
	random := make([]byte, 48)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	return base64.StdEncoding.EncodeToString(random)
}

// PartOfFile ends the name of a file that is not whole.
const PartOfFile = ".part"

// WriteWhole writes a file that only its owner may read, and that appears whole or not at all, also after a power loss: with
// os.Link it never replaces another's, with os.Rename it does.
func WriteWhole(path string, content []byte, publish func(from, to string) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+PartOfFile) // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	HandOver(tmp, filepath.Dir(path))
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := publish(tmp.Name(), path); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil { // so that the name survives a power loss, where folders can be synced
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}

func readSecret(path string) (Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var s Secret
	if err := s.UnmarshalText(text); err != nil {
		return "", fmt.Errorf("what %s holds %w", path, err)
	}
	return s, nil
}
