package web

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// sources reads the Go files below a folder of the repository, but for those in hidden folders. Their names are as
// seen from its root.
func sources(t *testing.T, below ...string) map[string]string {
	t.Helper()
	files, folder := map[string]string{}, kit.Root(below...)
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != folder && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			name, err := filepath.Rel(kit.Root(), path)
			files[name] = string(text)
			return err
		}
		return nil
	}))
	return files
}

func TestEveryProofNamedInSecurityMdExists(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(kit.Root("docs", "security.md"))
	require.NoError(t, err)
	var all strings.Builder
	for _, text := range sources(t, "tests") {
		all.WriteString(text)
	}
	named := regexp.MustCompile("`(Test[^`]*)`").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, named)
	for _, name := range named {
		assert.Contains(t, all.String(), "func "+name[1]+"(t *testing.T)", name[1])
	}
	for _, script := range regexp.MustCompile("`(tests/[^`]*)`").FindAllStringSubmatch(string(page), -1) {
		_, err := os.Stat(kit.Root(script[1]))
		assert.NoError(t, err)
	}
	// Each row of the two lists names a proof, or says in plain words whose it is.
	_, lists, _ := strings.Cut(string(page), "## OWASP")
	rows := regexp.MustCompile(`(?m)^\| (API\d|\([a-e]\)).*$`).FindAllString(lists, -1)
	assert.Len(t, rows, 10+12)
	for _, row := range rows {
		assert.Regexp(t, "`Test|the operator's to", row)
	}
}

// The program is asked and never asks: what would make a request or open a connection of its own is in none of its
// files. (The database drivers connect, and the tools that backup and restore run, to the configured database only.)
// Only the mail server that the operator names is called, by models/mail.go, the server itself, by the command healthcheck,
// and with TLS_DOMAINS an ACME server, by a library in certificates/acme.go.
func TestTheServerCallsNobody(t *testing.T) {
	t.Parallel()
	calls := regexp.MustCompile(`\bhttp\.(Get|Head|Post|PostForm|Client|DefaultClient|NewRequest|NewRequestWithContext|Transport|DefaultTransport)\b|\bnet\.(Dial|Dialer)|\bsmtp\.|go-mail|otlptrace|autocert\.`)
	callers := []string{filepath.Join("models", "mail.go"), filepath.Join("commands", "healthcheck.go"), filepath.Join("middleware", "traces.go"), filepath.Join("certificates", "acme.go")}
	found := 0
	for path, text := range sources(t) {
		if strings.HasPrefix(path, "tests") || strings.HasPrefix(path, "bench") || strings.HasSuffix(path, "_test.go") || slices.Contains(callers, path) {
			continue
		}
		found++
		assert.Empty(t, calls.FindString(text), path)
	}
	assert.Greater(t, found, 20)
}
