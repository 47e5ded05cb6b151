package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/telemetry"
)

var noon = time.Date(2001, 1, 1, 12, 0, 0, 5_000_000, time.UTC)

func terminal(colour bool) telemetry.Terminal {
	return telemetry.Terminal{Refresh: true, Colour: colour, Width: func() int { return 20 }}
}

// emit sends a record with a fixed time through the logger's handler.
func emit(t *testing.T, l *slog.Logger, level slog.Level, message string, args ...any) {
	t.Helper()
	if !l.Enabled(context.Background(), level) {
		return
	}
	r := slog.NewRecord(noon, level, message, 0)
	r.Add(args...)
	if err := l.Handler().Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func TestLinesForPeople(t *testing.T) {
	f := func(want string, do func(*slog.Logger), colour bool) {
		t.Helper()
		var out bytes.Buffer
		do(telemetry.Log{Level: slog.LevelInfo}.Logger(&out, terminal(colour)))
		if out.String() != want {
			t.Errorf("got  %q\nwant %q", out.String(), want)
		}
	}
	f("12:00:00.005 INFO  started  port=8080 name=\"a b\"\n", func(l *slog.Logger) {
		emit(t, l, slog.LevelDebug, "below the level")
		emit(t, l, slog.LevelInfo, "started", "port", 8080, "name", "a b")
	}, false)
	f("12:00:00.005 WARN  late  room=x g.msg=m g.level=3\n", func(l *slog.Logger) {
		emit(t, l.With("room", "x").WithGroup("g"), slog.LevelWarn, "late", "msg", "m", "level", 3)
	}, false)
	// Attributes named like the record's own stay.
	f("12:00:00.005 INFO  m  level=3 msg=b\n", func(l *slog.Logger) {
		emit(t, l, slog.LevelInfo, "m", "level", 3, "msg", "b")
	}, false)
	f("\x1b[2m12:00:00.005\x1b[0m \x1b[31mERROR\x1b[0m gone  \x1b[2ma=1\x1b[0m\n", func(l *slog.Logger) {
		emit(t, l, slog.LevelError, "gone", "a", 1)
	}, true)
	// A text from outside cannot clear the screen or forge a line.
	f(`12:00:00.005 INFO  "a\n\x1b[2J"  k="\x1b[2J"`+"\n", func(l *slog.Logger) {
		emit(t, l, slog.LevelInfo, "a\n\x1b[2J", "k", "\x1b[2J")
	}, false)
}

func TestLinesForMachines(t *testing.T) {
	var out bytes.Buffer
	emit(t, telemetry.Log{Format: "text"}.Logger(&out, telemetry.Terminal{}), slog.LevelInfo, "started", "port", 1)
	if want := "time=2001-01-01T12:00:00.005Z level=INFO msg=started port=1\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	emit(t, telemetry.Log{Format: "json"}.Logger(&out, terminal(true)), slog.LevelInfo, "started", "port", 1)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got["msg"] != "started" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestWhatIsNoTerminal(t *testing.T) {
	environment := func(string) (string, bool) { return "", false }
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := telemetry.TerminalOf(file, environment); got.Refresh || got.Colour {
		t.Errorf("a file is shown as %+v", got)
	}
	if got := telemetry.TerminalOf(new(strings.Builder), environment); got.Refresh || got.Colour {
		t.Errorf("a buffer is shown as %+v", got)
	}
}

func TestLoggersShareALine(t *testing.T) {
	var out bytes.Buffer
	l := telemetry.Log{}.Logger(&out, terminal(false))
	done := make(chan bool)
	for _, name := range []string{"a", "b"} {
		go func() {
			for range 200 {
				l.With("who", name).Info("line")
			}
			done <- true
		}()
	}
	<-done
	<-done
	for line := range strings.Lines(out.String()) {
		if !strings.HasSuffix(line, "INFO  line  who=a\n") && !strings.HasSuffix(line, "INFO  line  who=b\n") {
			t.Fatalf("a mixed line: %q", line)
		}
	}
}

// Log is filled by package config.
func TestLogAsConfiguration(t *testing.T) {
	var cli struct {
		Log telemetry.Log `embed:""`
	}
	environment := func(string) (string, bool) { return "", false }
	parse := func(args ...string) error {
		_, err := config.Parse(args, &cli, config.Options{Name: "x", Environment: environment})
		return err
	}
	if err := parse(); err != nil || cli.Log != (telemetry.Log{Level: slog.LevelInfo, Format: "text"}) {
		t.Errorf("by default %+v, %v", cli.Log, err)
	}
	if err := parse("--log-level=warn", "--log-format=json"); err != nil || cli.Log != (telemetry.Log{Level: slog.LevelWarn, Format: "json"}) {
		t.Errorf("got %+v, %v", cli.Log, err)
	}
	err := parse("--log-level=loud", "--log-format=xml")
	if err == nil || !strings.Contains(err.Error(), "--log-level: ") || !strings.Contains(err.Error(), "--log-format: ") {
		t.Errorf("got %v, want both faults", err)
	}
}
