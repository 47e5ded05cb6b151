//go:build unix

package failpoint

import (
	"os"
	"syscall"
	"time"
)

const canPause = true

// end kills the process, as kill -9 does.
func end() {
	signal(syscall.SIGKILL)
	select {} // until it has
}

// pause stops the process until someone sends SIGCONT.
func pause() {
	signal(syscall.SIGSTOP)
	// The kernel stops one thread after the other; this one must not run on.
	time.Sleep(20 * time.Millisecond)
}

func signal(s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic("BUG: a process cannot signal itself: " + err.Error())
	}
}
