package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"parallax.example/internal/config"
)

// role is one program of the demonstration: a command line of parallax.
type role struct {
	name string // of its log file, and in messages
	args []string
}

// running is a started role.
type running interface {
	stop()                  // asks for a regular end
	kill()                  // ends it without asking, where that is possible
	ended() <-chan struct{} // closed when it has ended
	err() error             // after the end; nil after a regular one
}

// goroutine runs a role inside this process.
type goroutine struct {
	cancel context.CancelFunc
	done   chan struct{}
	failed error
}

func startGoroutine(ctx context.Context, r role, run func(context.Context, []string) error) *goroutine {
	ctx, cancel := context.WithCancel(ctx)
	g := &goroutine{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(g.done)
		if err := run(ctx, r.args); err != nil && !(ctx.Err() != nil && errors.Is(err, ctx.Err())) {
			g.failed = err
		}
	}()
	return g
}

func (g *goroutine) stop()                  { g.cancel() }
func (g *goroutine) kill()                  {} // it ends with this process
func (g *goroutine) ended() <-chan struct{} { return g.done }
func (g *goroutine) err() error             { return g.failed }

// process runs a role as a process of its own.
type process struct {
	cmd    *exec.Cmd
	done   chan struct{}
	failed error
}

func startProcess(r role) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot start the %s: %w", r.name, err)
	}
	// stop and kill end it, in the order that the run needs; a context would not keep it.
	p := &process{cmd: exec.Command(self, r.args...), done: make(chan struct{})} //nolint:noctx // see above
	p.cmd.Stdout, p.cmd.Stderr = os.Stdout, os.Stderr
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
		return nil, fmt.Errorf("cannot start the %s: %w", r.name, err)
	}
	return p, nil
}

func (p *process) stop() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic("BUG: a child cannot be signalled: " + err.Error())
	}
}
func (p *process) ended() <-chan struct{} { return p.done }
func (p *process) err() error             { return p.failed }

// kill is kill -9: the process has no chance to tidy up.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic("BUG: a child cannot be killed: " + err.Error())
	}
}
