package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"parallax.example/internal/failpoint"
)

// Exit codes of every program.
const (
	ExitOK          = 0
	ExitUnexplained = 1   // it ran, and something is not explained
	ExitCannot      = 2   // it could not run; one line says why
	ExitInterrupted = 130 // Ctrl-C
	ExitTerminated  = 143 // SIGTERM, before there was a result
)

// Told is the exit code of a program that has already said why: a process that
// was started. Nothing more is printed for it.
type Told int

func (t Told) Error() string { return fmt.Sprintf("exit code %d", int(t)) }

// ExitCode is the code.
func (t Told) ExitCode() int { return int(t) }

// Runner is a program, or a command of one, with its settings filled in.
type Runner interface {
	Run(ctx context.Context) error
}

// Main is the whole of a program: it parses the command line into cli, runs cli
// or the chosen command (each a Runner) until it ends or a signal asks for the
// end, and returns the exit code. A second signal ends the process at once.
//
// An error with a method ExitCode() int chooses its code; any other is
// ExitCannot.
func Main(cli any, o Options) int {
	kctx, err := Parse(os.Args[1:], cli, o)
	if err != nil {
		return Report(os.Stderr, o.Name, err)
	}
	if err := arm(); err != nil {
		return Report(os.Stderr, o.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var asked os.Signal
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case asked = <-signals:
			signal.Stop(signals)
			cancel()
		case <-ctx.Done():
		}
	}()
	kctx.BindTo(ctx, (*context.Context)(nil))
	err = kctx.Run()
	cancel()
	<-stopped
	var coded interface{ ExitCode() int }
	switch {
	case err == nil && asked != os.Interrupt:
		return ExitOK // a service that was asked to end, or a result
	case err == nil || asked != nil && errors.Is(err, context.Canceled) && !errors.As(err, &coded):
		if asked == os.Interrupt {
			return ExitInterrupted
		}
		return ExitTerminated
	}
	return Report(os.Stderr, o.Name, err)
}

// arm arms the failpoints that the environment names.
func arm() error {
	var faults Faults
	for _, f := range failpoint.Arm(os.LookupEnv, os.Stderr) {
		faults.add(f.Variable, f.Message)
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

// Report prints an error for a person and returns the exit code.
func Report(w io.Writer, name string, err error) int {
	var faults Faults
	var coded interface{ ExitCode() int }
	var told Told
	switch {
	case errors.As(err, &told):
		return told.ExitCode()
	case errors.Is(err, ErrAnswered):
		return ExitOK
	case errors.As(err, &faults):
		noun := "faults"
		if len(faults) == 1 {
			noun = "fault"
		}
		fmt.Fprintf(w, "%s: %d %s in the configuration\n", name, len(faults), noun)
		for _, fault := range faults {
			fmt.Fprintf(w, "  %v\n", fault)
		}
		fmt.Fprintf(w, "Type \"%s --help\" for what can be set.\n", name)
		return ExitCannot
	}
	fmt.Fprintf(w, "%s: %v\n", name, err)
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return ExitCannot
}
