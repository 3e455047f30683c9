package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/joho/godotenv"
)

// readDotenv returns the variables of a .env file, none if there is no such file. An error tells file and line
// only: the line itself may hold a secret.
func readDotenv(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, Errors{path + ": cannot be read"}
	}
	vars, err := parseDotenv(string(text))
	if err == nil {
		return vars, nil
	}
	// The parser does not tell where it stopped: the bad line follows the longest beginning that parses.
	lines := strings.SplitAfter(string(text), "\n")
	good := len(lines) - 1
	for ; good > 0; good-- {
		if _, err := parseDotenv(strings.Join(lines[:good], "")); err == nil {
			break
		}
	}
	return nil, Errors{fmt.Sprintf("%s: line %d is not of the form NAME=value", path, good+1)}
}

// parseDotenv reads NAME=value lines. The parser would put the variable NAME in place of $NAME, and a secret may hold a
// dollar: it gets to see a NUL instead, which no variable can hold.
func parseDotenv(text string) (map[string]string, error) {
	if strings.Contains(text, "\x00") {
		return nil, errors.New("a NUL")
	}
	vars, err := godotenv.Unmarshal(strings.ReplaceAll(text, "$", "\x00"))
	for name, value := range vars {
		vars[name] = strings.ReplaceAll(value, "\x00", "$")
	}
	return vars, err
}
