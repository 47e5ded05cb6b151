package telemetry_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"parallax.example/internal/telemetry"
)

func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	now := noon
	p := telemetry.NewProgress(&out, terminal(false), func() time.Time { return now })
	expect := func(want string) {
		t.Helper()
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
		out.Reset()
	}
	p.Show("1 of 3")
	expect("\r\x1b[2K1 of 3")
	p.Show("2 of 3")
	expect("") // too soon
	fmt.Fprintln(p, "a log line")
	expect("\r\x1b[2Ka log line\n\r\x1b[2K1 of 3")
	now = now.Add(time.Second)
	p.Show("a line which is longer than the terminal is wide")
	expect("\r\x1b[2Ka line which is lon")
	p.Show("3\x1b[2J") // what is offered last is shown, and cannot clear the screen
	p.Done()
	expect("\r\x1b[2K\"3\\x1b[2J\"\n")
	fmt.Fprintln(p, "after")
	expect("after\n")
}

func TestProgressElsewhere(t *testing.T) {
	var out bytes.Buffer
	now := noon
	p := telemetry.NewProgress(&out, telemetry.Terminal{}, func() time.Time { return now })
	for i := range 100 {
		p.Show(fmt.Sprint(i))
		now = now.Add(100 * time.Millisecond)
	}
	fmt.Fprintln(p, "a log line")
	p.Done()
	p.Done()
	if want := "0\n30\n60\n90\na log line\n99\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
