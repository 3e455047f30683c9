// Package audit specifies the audit trail and its seals.
package audit

import (
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
