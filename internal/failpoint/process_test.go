//go:build unix

package failpoint

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// run starts a process that passes one failpoint five times.
func run(t *testing.T, text string) (cmd *exec.Cmd, stdout *bytes.Buffer, log string) {
	t.Helper()
	log, stdout = filepath.Join(t.TempDir(), "fired.log"), &bytes.Buffer{}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"=1", Variable+"="+text, LogVariable+"="+log)
	cmd.Stdout = stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout, log
}

// fired waits for the n-th firing.
func fired(t *testing.T, log string, n int) Firing {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		list, err := ReadLog(log)
		if err == nil && len(list) >= n {
			return list[n-1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("no firing %d: %v, %v", n, list, err)
		}
	}
}

func killed(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	_ = cmd.Wait() // the state says how it ended
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGKILL {
		t.Errorf("the process was not killed: %v", cmd.ProcessState)
	}
}

func TestKill(t *testing.T) {
	cmd, stdout, log := run(t, "ingest/before-link=kill@3")
	killed(t, cmd)
	if f := fired(t, log, 1); f.Hit != 3 || f.Action != "kill" || f.PID != cmd.Process.Pid {
		t.Errorf("fired: %v", f)
	}
	if got, want := stdout.String(), "hit 1 <nil>\nhit 2 <nil>\n"; got != want {
		t.Errorf("the process came to\n%swant\n%s", got, want)
	}
}

func TestKillAfter(t *testing.T) {
	cmd, stdout, log := run(t, "ingest/before-link=kill-after=50ms@2")
	killed(t, cmd)
	if f := fired(t, log, 1); f.Hit != 2 || f.Action != "kill-after=50ms" {
		t.Errorf("fired: %v", f)
	}
	if !strings.HasSuffix(stdout.String(), "hit 5 <nil>\n") {
		t.Errorf("the process did not go on meanwhile:\n%s", stdout)
	}
}

func TestStop(t *testing.T) {
	cmd, stdout, log := run(t, "ingest/before-link=stop@2,ingest/before-link=kill@4")
	fired(t, log, 1)
	stopped := func() bool {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED|syscall.WNOHANG, nil)
		return err == nil && pid == cmd.Process.Pid && status.Stopped()
	}
	for deadline := time.Now().Add(20 * time.Second); !stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the process was not stopped")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	killed(t, cmd)
	if got, want := stdout.String(), "hit 1 <nil>\nhit 2 <nil>\nhit 3 <nil>\n"; got != want {
		t.Errorf("the process came to\n%swant\n%s", got, want)
	}
}
