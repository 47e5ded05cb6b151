package demo

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what would hang; nothing waits that long when all is well.
const patience = 2 * time.Minute

// process is a started program.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{}
}

// output collects what a program prints, and can be read meanwhile.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts parallax in the project's folder. What a failed test ran is
// logged with all it said.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startCommand(t, exec.Command(parallax, args...))
}

func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Dir = root
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start %q: %v", cmd.Args, err)
	}
	go func() { defer close(p.done); _ = cmd.Wait() }() // the exit code is in ProcessState
	t.Cleanup(func() {
		if !p.ended() {
			_ = cmd.Process.Signal(os.Interrupt) // it takes its children along
			select {
			case <-p.done:
			case <-time.After(10 * time.Second):
				_ = cmd.Process.Kill()
				<-p.done
			}
		}
		if t.Failed() {
			t.Logf("%q ended with %d\n%s%s", cmd.Args, p.code(), p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// code is the exit code of an ended process, -1 when a signal ended it.
func (p *process) code() int { return p.cmd.ProcessState.ExitCode() }

// wait waits for the end and returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.code()
	case <-time.After(patience):
		p.t.Fatalf("%q does not end", p.cmd.Args)
		return 0
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("cannot send %v: %v", s, err)
	}
}

// until polls what must become true while the process runs.
func (p *process) until(what string, true func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !true(); time.Sleep(10 * time.Millisecond) {
		switch {
		case p.ended():
			p.t.Fatalf("%q ended before %s", p.cmd.Args, what)
		case time.Now().After(deadline):
			p.t.Fatalf("%q: no %s within %v", p.cmd.Args, what, patience)
		}
	}
}

// run runs parallax to its end, which must have this exit code.
func run(t *testing.T, code int, args ...string) *process {
	t.Helper()
	p := start(t, args...)
	if got := p.wait(); got != code {
		t.Fatalf("%q ended with %d, want %d", p.cmd.Args, got, code)
	}
	return p
}

// folder makes a folder that stays when the test fails. Its name has what names
// of folders may have: a space and a comma.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "parallax, "+strings.ReplaceAll(t.Name(), "/", "-")+" ") //nolint:usetesting // t.TempDir does not stay
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the files stay in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// only returns the one path that fits the pattern below dir.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files are called %s in %s, want one (%v)", len(found), pattern, dir, err)
	}
	return found[0]
}

func exists(dir, pattern string) bool {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	return err == nil && len(found) > 0
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// commands returns the command lines that hold all these texts, by process id.
// It finds none where there is no /proc.
func commands(t *testing.T, texts ...string) map[int]string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, name := range lines {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		line := string(bytes.ReplaceAll(b, []byte{0}, []byte{' '}))
		if slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			t.Fatal(err)
		}
		found[pid] = line
	}
	return found
}
