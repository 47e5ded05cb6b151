package ledger

import (
	"errors"
	"os"
	"syscall"
)

// datasync is fdatasync: the bytes and the length, not the times.
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// lock keeps a second writer out for as long as f is open.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errors.New("another generator is writing it; stop that one first")
	}
	return err
}
