package operations

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

func fileOf(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(kit.Root(path...))
	require.NoError(t, err)
	return string(content)
}

func TestWhatGitIgnoresGetsIntoNoImage(t *testing.T) {
	t.Parallel()
	docker := "\n" + fileOf(t, ".dockerignore")
	for line := range strings.Lines(fileOf(t, ".gitignore")) {
		line = strings.Trim(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, top := strings.CutPrefix(strings.TrimSuffix(line, "/"), "/")
		if !top {
			pattern = "**/" + pattern // Docker's patterns begin at the top
		}
		assert.Contains(t, docker, "\n"+pattern+"\n")
	}
}

func TestTheImageIsBuiltWithTheGoOfTheModuleAndSetsWhatThereIs(t *testing.T) {
	t.Parallel()
	dockerfile := fileOf(t, "Dockerfile")
	module := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(fileOf(t, "go.mod"))
	assert.Contains(t, dockerfile, "FROM golang:"+module[1]+" AS build\n")
	set := regexp.MustCompile(`(?m)^ENV (.*)$`).FindStringSubmatch(dockerfile)
	for _, setting := range strings.Fields(set[1]) {
		name, _, _ := strings.Cut(setting, "=")
		assert.Contains(t, declaredVariables(), name)
	}
}

func TestComposeShowsNothingButTheServerAndThatToThisMachine(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
			Ports       []string
			Networks    []string
			Healthcheck struct{ Test []string }
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		}
		Networks map[string]*struct{ Internal bool }
	}
	require.NoError(t, yaml.Unmarshal([]byte(fileOf(t, "compose.yaml")), &compose))
	server, db := compose.Services["server"], compose.Services["db"]
	assert.Len(t, compose.Services, 2)
	require.Len(t, server.Ports, 1)
	assert.Regexp(t, `^127\.0\.0\.1:\d+:`+server.Environment["PORT"]+`$`, server.Ports[0])
	assert.Empty(t, db.Ports)
	assert.Equal(t, []string{"back"}, db.Networks)
	require.NotNil(t, compose.Networks["back"])
	assert.True(t, compose.Networks["back"].Internal)
	assert.NotEmpty(t, db.Healthcheck.Test)
	assert.Equal(t, "service_healthy", server.DependsOn["db"].Condition)
	for name, value := range server.Environment {
		assert.Contains(t, declaredVariables(), name)
		if strings.Contains(name, "SECRET") || strings.Contains(name, "KEY") {
			assert.Equal(t, "${"+name+":?is missing in .env}", value)
		}
	}
}
