// Package operations specifies what operators do and see: configuration, migrations, backups, commands, the process and its log.
package operations

import (
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) {
	kit.MigrateAgain = true
	kit.Main(m)
}
