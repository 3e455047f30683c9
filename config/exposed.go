package config

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// Exposed has a sentence for each file with health data or secrets that group or others may reach: the files of an
// embedded database, once it is open, the key of a certificate, and the dotenv file. (Windows has no such modes.)
func (c *Config) Exposed(dotenv string) []string {
	files := []string{dotenv}
	if database := c.Database.SQLite; database != "" {
		files = append(files, database, database+"-wal", database+"-shm", secretFile(database), auditKeyFile(database))
	}
	if c.TLSKeyFile != "" {
		files = append(files, c.TLSKeyFile)
	}
	var warnings []string
	for _, file := range files {
		info, err := os.Stat(file)
		others := fs.FileMode(0o077)
		if file == c.TLSKeyFile {
			others = 0o007 // the keys of a machine often belong to a group
		}
		if err == nil && info.Mode().Perm()&others != 0 && runtime.GOOS != "windows" {
			warnings = append(warnings, fmt.Sprintf("others than its owner may reach %s (mode %#o), which holds health data or secrets; run: chmod 600 %[1]s",
				file, info.Mode().Perm()))
		}
	}
	return warnings
}
