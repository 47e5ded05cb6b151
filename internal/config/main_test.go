package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/config"
)

// waiter is a program that runs until it is told to end.
type waiter struct {
	Fail    bool
	Code    bool
	Service bool // ends regularly when it is told to
	Both    bool // has a result of its own when it is told to end
	Told    bool // its child has said why
}

type coded struct{}

func (coded) Error() string { return "something is unexplained" }
func (coded) ExitCode() int { return config.ExitUnexplained }

func (w *waiter) Run(ctx context.Context) error {
	switch {
	case w.Fail:
		return errors.New("cannot open the run folder")
	case w.Code:
		return coded{}
	case w.Told:
		return fmt.Errorf("a child: %w", config.Told(7))
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return err
	}
	<-ctx.Done()
	switch {
	case w.Service:
		return nil
	case w.Both:
		return errors.Join(coded{}, ctx.Err())
	}
	return ctx.Err()
}

func TestMain(m *testing.M) {
	if os.Getenv("CONFIG_TEST_PROGRAM") != "" {
		os.Exit(config.Main(&waiter{}, config.Options{Name: "waiter"}))
	}
	os.Exit(m.Run())
}

// Real processes and real signals, since exit codes are what scripts see.
func TestExitCodes(t *testing.T) {
	f := func(want int, signal os.Signal, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], args...)
		cmd.Env = append(os.Environ(), "CONFIG_TEST_PROGRAM=1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if signal != nil {
			if _, err := stdout.Read(make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%q ended with %d, want %d; it said %q", args, got, want, stderr.String())
		}
	}
	f(config.ExitOK, nil, "--help")
	f(config.ExitCannot, nil, "--nonsense")
	f(config.ExitCannot, nil, "--fail")
	f(config.ExitUnexplained, nil, "--code")
	f(7, nil, "--told")
	f(config.ExitInterrupted, os.Interrupt)
	f(config.ExitInterrupted, os.Interrupt, "--service")
	// Nobody may take "was asked to end" for "has a result and it is fine".
	f(config.ExitTerminated, syscall.SIGTERM)
	f(config.ExitOK, syscall.SIGTERM, "--service")
	f(config.ExitUnexplained, syscall.SIGTERM, "--both")
}

// What was said already is not said again.
func TestToldIsNotRepeated(t *testing.T) {
	var said bytes.Buffer
	if code := config.Report(&said, "waiter", fmt.Errorf("a child: %w", config.Told(1))); code != 1 || said.Len() > 0 {
		t.Errorf("code %d, said %q", code, said.String())
	}
	if code := config.Report(&said, "waiter", errors.New("no disk")); code != config.ExitCannot || said.String() != "waiter: no disk\n" {
		t.Errorf("code %d, said %q", code, said.String())
	}
}

// A program that would break elsewhere than it was told to, or not at all, does not begin.
func TestFailpointsAreRefused(t *testing.T) {
	cmd := exec.Command(os.Args[0], "--service")
	cmd.Env = append(os.Environ(), "CONFIG_TEST_PROGRAM=1", "PARALLAX_FAILPOINTS=ingest/linkd=kill,ingest/linked=die")
	said, _ := cmd.CombinedOutput() // its exit code is looked at
	want := `waiter: 2 faults in the configuration
  PARALLAX_FAILPOINTS: there is no failpoint "ingest/linkd"; "parallax failpoints" lists them
  PARALLAX_FAILPOINTS: "ingest/linked=die": there is no action "die"; there are kill, stop, delay=D, fail and kill-after=D
Type "waiter --help" for what can be set.
`
	if code := cmd.ProcessState.ExitCode(); code != config.ExitCannot || string(said) != want {
		t.Errorf("ended with %d and said\n%swant\n%s", code, said, want)
	}
}
