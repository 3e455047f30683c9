package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"healthcare/apierror"
	"healthcare/config"
)

// openFile is the file of an SQLite database that is open. A nil one is PostgreSQL's: there is nothing to hold.
type openFile struct {
	path string
	info os.FileInfo // of the file that was opened, whatever has its path now
	lock *os.File
}

// hold keeps a restore from replacing the file until close.
func hold(path string) (*openFile, error) {
	lock, err := LockSQLite(path, false)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &openFile{path: path, info: info, lock: lock}, nil
}

// check tells whether the path still leads to the file that was opened. What is written to another is lost.
func (f *openFile) check() error {
	if f == nil {
		return nil
	}
	if now, err := os.Stat(f.path); err != nil || !os.SameFile(now, f.info) {
		return apierror.NewUnavailable(apierror.Database, 60, "The database's file has been replaced or removed. The server must be restarted.")
	}
	return nil
}

func (f *openFile) close() error {
	if f == nil {
		return nil
	}
	return f.lock.Close()
}

// LockSuffix is what a lock's name has more than its database's.
const LockSuffix = ".lock"

// LockSQLite keeps the file of an SQLite database from being replaced, until the lock is closed: all who have the
// database open share it, a restore has it alone. The lock has the name of the file, whatever links led to it, and
// LockSuffix. It is the operating system's, so it ends with its process, however that ends. It is beside the database
// because one on the database itself would keep SQLite from its own on BSD, macOS and network drives.
func LockSQLite(path string, alone bool) (*os.File, error) {
	path = config.Linked(path)
	how, inUse := os.O_RDONLY, "is being restored"
	if alone {
		how, inUse = os.O_RDWR, "is in use: stop the server, and what else has it open"
	}
	for {
		const mode = 0o644 // it is empty, and root may be the first to make it
		f, err := os.OpenFile(path+LockSuffix, how|os.O_CREATE|os.O_EXCL, mode)
		if err == nil {
			config.HandOver(f, filepath.Dir(path))
		} else if errors.Is(err, fs.ErrExist) {
			f, err = os.OpenFile(path+LockSuffix, how|os.O_CREATE, mode)
		}
		if err != nil {
			return nil, err
		}
		locked, err := flock(f, alone)
		if err != nil || !locked {
			_ = f.Close()
			if err == nil {
				err = fmt.Errorf("%s %s", path, inUse)
			}
			return nil, err
		}
		if isAt(f, path+LockSuffix) {
			return f, nil
		}
		_ = f.Close() // a restore has just removed it
	}
}

func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	there, missing := os.Stat(path)
	return err == nil && missing == nil && os.SameFile(mine, there)
}
