// The tests run the same chains on stock GORM and on GORM with the plugin, each on a database of its own with the same
// rows, and compare all that a caller can see: rows, RowsAffected and the error. They begin with pair_test.go.
package fastgorm_test

import (
	"testing"

	"healthcare/tests/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }
