package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that was started, with its output in a file.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string
	ended  chan struct{} // closed after Wait
	err    error         // of Wait
	asked  bool          // to end
	cancel context.CancelFunc
}

// start runs a program in a folder. When ctx ends the program is asked to end,
// and killed after some seconds.
func start(ctx context.Context, name, dir, logDir string, env []string, args ...string) (*process, error) {
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return nil, err
	}
	p := &process{name: name, log: filepath.Join(logDir, name+".log"), ended: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the program has its own
	ctx, p.cancel = context.WithCancel(ctx)
	p.cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C comes from us, in order
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	if err := p.cmd.Start(); err != nil {
		p.cancel()
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		p.cancel()
		close(p.ended)
	}()
	return p, nil
}

// stop asks the program to end and waits for it. That it then says 143 or 130
// is no error, as of a JVM.
func (p *process) stop(patience time.Duration) error {
	p.asked = true
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot end %s: %w", p.name, err)
	}
	select {
	case <-p.ended:
		return p.failure()
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s did not end within %s and was killed", p.name, patience), p.cmd.Process.Kill())
	}
}

// failure is why an ended program failed, with the end of its output.
func (p *process) failure() error {
	<-p.ended
	if p.err == nil {
		return nil
	}
	var exit *exec.ExitError
	if p.asked && errors.As(p.err, &exit) {
		status, _ := exit.Sys().(syscall.WaitStatus)
		if exit.ExitCode() == 143 || status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	return fmt.Errorf("%s failed: %w; the end of %s:\n%s", p.name, p.err, p.log, tail(p.log, 15))
}

// tail is the last lines of a file.
func tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// usage is the CPU time of an ended program and its children, as wait4 tells.
func (p *process) usage() time.Duration {
	<-p.ended
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// peak is the most memory that a running program has held so far, 0 when it has
// ended. What wait4 tells would count in the memory of this process, from which
// the program was forked.
func (p *process) peak() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSuffix(field(string(text), "VmHWM"), " kB"), 10, 64)
	if err != nil {
		return 0 // a program that has ended and was not waited for has no memory
	}
	return kilobytes << 10
}

// tick is the unit of /proc/PID/stat on every Linux: USER_HZ.
const tick = 10 * time.Millisecond

// cpu is what a running program has used so far.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read the CPU time of %s: %w", p.name, err)
	}
	return parseStat(text)
}

// parseStat adds user and system time. The program's name, in parentheses, may
// hold anything.
func parseStat(text []byte) (time.Duration, error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("cannot read %q as /proc/PID/stat", text)
	}
	var sum int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("cannot read %q as /proc/PID/stat: %w", text, err)
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
}
