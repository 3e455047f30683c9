package web

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// Without a token, a route that exists answers 401 (or what it answers to anybody), never 404 or 405.
func TestReadmeTableHoldsOnlyRoutesThatExist(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		readme, err := os.ReadFile(kit.Root("README.md"))
		require.NoError(t, err)
		rows := regexp.MustCompile("(?m)^\\| ((?:[A-Z]+, )*[A-Z]+) `(/[^`]*)` \\|").FindAllStringSubmatch(string(readme), -1)
		assert.Greater(t, len(rows), 10)
		for _, row := range rows {
			for method := range strings.SplitSeq(row[1], ", ") {
				r := api.Nobody().Do(method, strings.ReplaceAll(row[2], "<id>", "1"), nil)
				assert.NotContains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, r.Status, "%s %s", method, row[2])
			}
		}
	}, kit.WithMail)
}
