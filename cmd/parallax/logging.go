package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/telemetry"
)

// logging is how each command logs: to the terminal, or to a file of its own.
type logging struct {
	telemetry.Log `embed:""`
	LogFile       string `placeholder:"FILE" help:"Append log lines to this file instead of printing them."`
}

// open returns the logger and what must be called at the end.
func (l *logging) open() (*slog.Logger, func(), error) {
	if l.LogFile == "" {
		return l.Logger(os.Stderr, telemetry.TerminalOf(os.Stderr, os.LookupEnv)), func() {}, nil
	}
	f, err := os.OpenFile(l.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open the log file: %w", err)
	}
	log := l.Logger(f, telemetry.Terminal{})
	if armed := failpoint.Armed(); armed != "" {
		log.Warn("failpoints are armed, this process will break on purpose", "failpoints", armed)
	}
	return log, func() { f.Close() }, nil
}

// tell writes text to a file that a program which waits for it reads: whole,
// or not there yet. Without a name it does nothing.
func tell(file, text string) error {
	if file == "" {
		return nil
	}
	temporary := file + ".tmp"
	if err := os.WriteFile(temporary, []byte(text+"\n"), 0o644); err != nil {
		return fmt.Errorf("cannot say where this program listens: %w", err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return fmt.Errorf("cannot say where this program listens: %w", err)
	}
	return nil
}

// every calls show now and then until the returned function is called, and
// once more at the end.
func every(period time.Duration, show func()) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(period)
		defer tick.Stop()
		for {
			show()
			select {
			case <-tick.C:
			case <-done:
				show()
				return
			}
		}
	}()
	return func() { close(done); <-stopped }
}
