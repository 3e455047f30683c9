package web

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func TestTheTourNamesOnlyFilesThatExist(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(kit.Root("docs", "tour.md"))
	require.NoError(t, err)
	tour := string(content)
	named := regexp.MustCompile("`(\\.?[a-z_]+(?:/[a-z_]+)*(?:\\.(?:go|md|yaml|example)|/))`").FindAllStringSubmatch(tour, -1)
	assert.Greater(t, len(named), 70)
	for _, file := range named {
		_, err := os.Stat(kit.Root(file[1]))
		assert.NoError(t, err)
	}
	// In the drawing, a file stands at the end of a line, without its folder.
	drawn := regexp.MustCompile(`(?m)^     [│├].* ([a-z_]+\.go)(?:, ([a-z_]+\.go))?$`).FindAllStringSubmatch(tour, -1)
	assert.Greater(t, len(drawn), 10)
	for _, line := range drawn {
		for _, file := range line[1:] {
			found, err := filepath.Glob(kit.Root("*", file))
			require.NoError(t, err)
			assert.True(t, file == "" || len(found) > 0, file)
		}
	}
}
