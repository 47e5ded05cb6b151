//go:build !linux

package ledger

import "os"

func datasync(f *os.File) error { return f.Sync() }

// lock is for Linux only: elsewhere nothing keeps a second writer out.
func lock(*os.File) error { return nil }
