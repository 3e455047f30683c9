//go:build !windows

package models

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// flock locks a file without waiting, and tells whether it could.
func flock(f *os.File, alone bool) (bool, error) {
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// checkWritable tells whether this process may write a file, without opening it: closing it again would end the locks
// that this process has on it.
func checkWritable(path string) error {
	const write = 2 // W_OK
	if err := syscall.Access(path, write); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}
