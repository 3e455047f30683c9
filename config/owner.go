//go:build !windows

package config

import (
	"os"
	"syscall"
)

// HandOver gives a file that this process has just made to the owner of the folder that it is for, if it runs as root: the
// server, which is another user, could not open it. It takes the open file, as who owns the folder may have put another
// under its name. Where even root may not do this, the file stays root's.
func HandOver(file *os.File, folder string) {
	if os.Geteuid() != 0 {
		return
	}
	if info, err := os.Stat(folder); err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			_ = file.Chown(int(owner.Uid), int(owner.Gid))
		}
	}
}
