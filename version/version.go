// Package version says which version of the program this is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Name is what the product is called, and Number its version (https://semver.org). Whoever raises the number raises it in
// docs/openapi.yaml, CHANGELOG.md and README.md too: a test names what was forgotten.
const (
	Name   = "Healthcare API"
	Number = "1.0.0"
)

// Commit is what the program was built from, "unknown" if that is not known.
func Commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// Build is the name, the number, the commit that the program was built from, and the Go that built it.
func Build() string {
	commit, changed := "not known, because it was built without git", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = ", with changes that are not committed"
			}
		}
	}
	return fmt.Sprintf("%s %s\ncommit: %s%s\nGo: %s\n", Name, Number, commit, changed, runtime.Version())
}
