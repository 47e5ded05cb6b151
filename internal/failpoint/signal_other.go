//go:build !unix

package failpoint

import "os"

const canPause = false

// end kills the process.
func end() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic("BUG: a process cannot kill itself: " + err.Error())
	}
	select {} // until it has
}

// pause is refused when an entry asks for it.
func pause() {}
