package operations

import (
	"bufio"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// declaredVariables maps each variable that the configuration reads to its default.
func declaredVariables() map[string]string {
	declared := map[string]string{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("env"), ","); name != "" && name != "-" {
			declared[name] = f.Tag.Get("envDefault")
		}
	}
	return declared
}

func TestEnvExampleHoldsEveryVariableWithItsDefaultAndAComment(t *testing.T) {
	t.Parallel()
	file, err := os.Open(kit.Root(".env.example"))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	found := map[string]string{}
	explained := false
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, isVariable := strings.Cut(lines.Text(), "=")
		switch {
		case strings.HasPrefix(lines.Text(), "#"):
			explained = true
		case lines.Text() == "":
			explained = false
		default:
			require.True(t, isVariable, lines.Text())
			assert.NotContains(t, found, name, "given twice")
			assert.True(t, explained, "%s needs a comment above it", name)
			found[name] = value
		}
	}
	require.NoError(t, lines.Err())
	assert.Equal(t, declaredVariables(), found)
}

func TestEnvExampleIsAValidConfiguration(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(kit.Root(".env.example"))
	require.NoError(t, err)
	path := t.TempDir() + "/.env"
	database := "DATABASE_URL=sqlite:" + t.TempDir() + "/test.db" // the default would put a file here
	require.NoError(t, os.WriteFile(path, content, 0o600))
	fromFile, err := config.Load([]string{database, "JWT_SECRET=" + secret}, path)
	require.NoError(t, err)
	fromNothing, err := config.Load([]string{database, "JWT_SECRET=" + secret}, os.DevNull)
	require.NoError(t, err)
	assert.Equal(t, fromNothing, fromFile)
}

func TestReadmeTableHoldsEveryVariableWithItsDefault(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(kit.Root("README.md"))
	require.NoError(t, err)
	found := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `([A-Z][A-Z_]+)` \\| (?:`([^`]+)`)? *\\|")
	for _, m := range row.FindAllStringSubmatch(string(readme), -1) {
		assert.NotContains(t, found, m[1], "two rows")
		found[m[1]] = m[2]
	}
	assert.Equal(t, declaredVariables(), found)
}
