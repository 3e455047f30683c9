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
	vars, err := godotenv.UnmarshalBytes(text)
	if err == nil {
		return vars, nil
	}
	// The parser does not tell where it stopped: the bad line follows the longest beginning that parses.
	lines := strings.SplitAfter(string(text), "\n")
	good := len(lines) - 1
	for ; good > 0; good-- {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:good], "")); err == nil {
			break
		}
	}
	return nil, Errors{fmt.Sprintf("%s: line %d is not of the form NAME=value", path, good+1)}
}
