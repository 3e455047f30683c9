package operations

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// The numbers are the bits of surprise that each was found to hold.
func TestASecretThatIsAPatternIsRefused(t *testing.T) {
	t.Parallel()
	for bits, pattern := range map[int]string{
		0:  strings.Repeat("a", 40),
		1:  strings.Repeat("0", 31) + "1",
		2:  strings.Repeat("0123456789", 4),
		3:  strings.Repeat("0123456789abcdef", 2),
		4:  strings.Repeat("abc", 14),
		6:  "00112233445566778899aabbccddeeff",
		10: strings.Repeat("asdf", 8),
		15: "3cf1a9b2" + strings.Repeat("0", 24),
		16: "secret" + strings.Repeat("1234567890", 3),
		20: strings.Repeat("hunter2", 5),
		23: strings.Repeat("changeme", 4),
		32: strings.Repeat("CHANGE_ME_", 8),
		36: "ClinicClinicClinicClinic2026!Clinic",
		39: strings.Repeat("password123", 3),
		45: "my-secret-key-my-secret-key-my-secret-key",
		48: "changeme1changeme2changeme3changeme4",
		77: "your-256-bit-secret-your-256-bit-secret",
		-1: "abcdefghijklmnopqrstuvwxyz012345",
	} {
		for _, variable := range []string{"JWT_SECRET", "AUDIT_KEY"} {
			_, err := load(t, "", "DATABASE_URL=postgres://x/y", "JWT_SECRET="+secret, variable+"="+pattern)
			if assert.ErrorContains(t, err, variable+": must not repeat itself or count up", "%d bits: %s", bits, pattern) {
				kit.Absent(t, err.Error(), pattern)
			}
		}
	}
}

func TestARandomSecretIsAccepted(t *testing.T) {
	t.Parallel()
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	for name, secret := range map[string]func() string{ // with the lowest number of bits that 20,000 of them had
		"openssl rand -base64 48": func() string { return base64.StdEncoding.EncodeToString(random(48)) }, // 298
		"openssl rand -base64 24": func() string { return base64.StdEncoding.EncodeToString(random(24)) }, // 128
		"openssl rand -hex 32":    func() string { return hex.EncodeToString(random(32)) },                // 210
		"openssl rand -hex 16":    func() string { return hex.EncodeToString(random(16)) },                // 89; two in a million have less than 80
		"eight random words": func() string { // 113
			return []string{
				"there user time put those them hour does", "correct horse battery staple four more words here",
				"anchor-basil-copper-dune-ember-falcon-garnet-harbor", "oak sun ice elm cat dog lantern maple", "nectaronyxpepperquartzravensaddletimberumber",
			}[random(1)[0]%5]
		},
	} {
		for range 20 {
			var s config.Secret
			text := secret()
			assert.NoError(t, s.UnmarshalText([]byte(text)), "%s: %s", name, text)
		}
	}
}

func TestAPatternBesideTheDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	database := t.TempDir() + "/clinic.db"
	require.NoError(t, os.WriteFile(database+".secret", []byte(strings.Repeat("changeme", 4)), 0o600))
	_, err := keep(t, "DATABASE_URL=sqlite:"+database)
	assert.ErrorContains(t, err, "clinic.db.secret holds must not repeat itself")
}
