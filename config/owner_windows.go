package config

import "os"

// HandOver has nothing to do on Windows, where the folder's rights are those of its files.
func HandOver(*os.File, string) {}
