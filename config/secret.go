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

// secretFile is where the secret of an embedded database is kept.
func secretFile(database string) string { return database + ".secret" }

// keptSecret reads the secret that belongs to an embedded database, from the file beside it. The first start makes
// one; of several that start at once, one wins and all use its secret.
func keptSecret(database string) (Secret, error) {
	path := secretFile(database)
	if s, err := readSecret(path); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	random := make([]byte, 48)
	_, _ = rand.Read(random)                                                // never fails: it ends the program instead
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(base64.StdEncoding.EncodeToString(random))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", err
	}
	// A link appears whole or not at all, and never replaces another's.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return readSecret(path)
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
