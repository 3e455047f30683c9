// Package operations specifies what operators do and see: configuration, migrations, backups, commands, the process and its log.
package operations

import (
	"testing"

	"healthcare/config"
	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

// migrating is the configuration of a database that every start migrates.
func migrating(database string) *config.Config {
	cfg := kit.BaseConfig(database)
	kit.MigrateAgain(cfg)
	return cfg
}
