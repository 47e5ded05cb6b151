package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"parallax.example/internal/config"
)

// Command says what to start.
type Command struct {
	Name   string // in messages
	Path   string // of the program; "" is the one that is running
	Args   []string
	Dir    string   // "" is the own one
	Env    []string // NAME=VALUE, in addition to the own ones
	Stdout io.Writer
	Stderr io.Writer
}

// Process is a started program. Its methods may be called from any goroutine.
type Process struct {
	name   string
	cmd    *exec.Cmd
	done   chan struct{}
	failed error
}

// Start starts the program. It gets a process group of its own, so a Ctrl-C
// reaches it only through who started it.
func Start(c Command) (*Process, error) {
	path := c.Path
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("cannot start the %s: %w", c.Name, err)
		}
		path = self
	}
	// Who started it ends it, in the order that is needed; a context would not keep it.
	p := &Process{name: c.Name, cmd: exec.Command(path, c.Args...), done: make(chan struct{})} //nolint:noctx // see above
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = c.Dir, c.Stdout, c.Stderr
	if len(c.Env) > 0 {
		p.cmd.Env = append(os.Environ(), c.Env...)
	}
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The child's death signal is bound to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		var exit *exec.ExitError
		switch err := p.cmd.Wait(); {
		case err == nil:
		case errors.As(err, &exit) && exit.ExitCode() >= 0:
			p.failed = config.Told(exit.ExitCode())
		default:
			// Not wrapped: an exit code of its own (-1 for a signal) is none of ours.
			p.failed = errors.New(err.Error())
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("cannot start the %s: %w", c.Name, err)
	}
	return p, nil
}

// Stop asks for a regular end.
func (p *Process) Stop() { p.signal(syscall.SIGTERM) }

// Kill is kill -9: the process has no chance to tidy up.
func (p *Process) Kill() { p.signal(syscall.SIGKILL) }

// Freeze stops the process where it is, until Thaw. Only Kill ends a frozen one.
func (p *Process) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic("BUG: a child cannot be signalled: " + err.Error())
	}
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// Err is how the process ended: nil after a regular end, a config.Told with its
// exit code, or the signal that ended it. To be called after Ended.
func (p *Process) Err() error { return p.failed }
