// Package tests specifies the clinic's records from outside: through the real router, with real tokens, on both
// databases, each test on a fresh database of its own. What is not of records has a folder of its own below this one.
package tests

import (
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
