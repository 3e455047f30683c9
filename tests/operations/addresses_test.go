package operations

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
)

func TestAnAddressOfSeveralServersMeansTheOneThatCanBeWrittenTo(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"postgres://u@a:1,b:2/x?sslmode=disable":                              true,
		"postgres://u@a:1,a:2/x":                                              true,
		"postgres://u@a:1/x":                                                  false,
		"postgres://u@a:1/x?sslmode=disable":                                  false,
		"postgres://u@a:1,b:2/x?sslmode=disable&target_session_attrs=any":     false,
		"postgres://u@a:1,b:2/x?sslmode=disable&target_session_attrs=primary": true,
		"host=a,b user=u dbname=x":                                            true,
	} {
		pc, err := models.PostgresConfig(address)
		require.NoError(t, err)
		assert.Equal(t, want, pc.ValidateConnect != nil, address)
	}
}
