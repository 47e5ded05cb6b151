//go:build linux || darwin

package doctor

import (
	"fmt"
	"syscall"
)

// diskFree is what a user without privileges may still write where dir is or would be.
func diskFree(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(existing(dir), &s); err != nil {
		return 0, fmt.Errorf("cannot ask how full the disk of %q is: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// fileLimit is the hard limit: a Go program raises its own to that.
func fileLimit() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("cannot ask for the limit of open files: %w", err)
	}
	return l.Max, nil
}
