package demo

import (
	"context"
	"errors"
	"os"

	"parallax.example/cmd/parallax/child"
)

// role is one program of the demonstration: a command line of parallax.
type role struct {
	name string // of its log file, and in messages
	args []string
}

// running is a started role.
type running interface {
	Stop()                  // asks for a regular end
	Kill()                  // ends it without asking, where that is possible
	Ended() <-chan struct{} // closed when it has ended
	Err() error             // after the end; nil after a regular one
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

// Stop ends the role's context.
func (g *goroutine) Stop() { g.cancel() }

// Kill does nothing: the role ends with this process.
func (g *goroutine) Kill() {}

// Ended is closed when the role has ended.
func (g *goroutine) Ended() <-chan struct{} { return g.done }

// Err is how the role ended.
func (g *goroutine) Err() error { return g.failed }

// startProcess runs a role as a process of its own.
func startProcess(r role) (*child.Process, error) {
	return child.Start(child.Command{Name: r.name, Args: r.args, Stdout: os.Stdout, Stderr: os.Stderr})
}
