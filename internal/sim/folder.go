package sim

import "os"

// Folder makes a folder for the files of a run, which whoever runs it removes. It
// lies in memory where there is a place for that: there a sync takes no time.
func Folder() (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", "sim"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "sim")
}
