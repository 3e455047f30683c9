// Package accounts specifies accounts: registration, logins, locks, sessions, tokens, passwords and staff.
package accounts

import (
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
