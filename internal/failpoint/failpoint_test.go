package failpoint

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const child = "FAILPOINT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		if faults := Arm(os.LookupEnv, os.Stderr); faults != nil {
			fmt.Fprintln(os.Stderr, faults)
			os.Exit(2)
		}
		for i := range 5 {
			err := Here("ingest/before-link")
			fmt.Fprintln(os.Stdout, "hit", i+1, err)
		}
		time.Sleep(time.Minute) // killed in it, or the test fails
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// arm arms this process for one test.
func arm(t testing.TB, text string) (stderr *bytes.Buffer, log string) {
	t.Helper()
	stderr, log = &bytes.Buffer{}, filepath.Join(t.TempDir(), "fired.log")
	environment := map[string]string{Variable: text, LogVariable: log}
	look := func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
	if faults := Arm(look, stderr); faults != nil {
		t.Fatal(faults)
	}
	t.Cleanup(func() { armed.Store(nil) })
	return stderr, log
}

func hits(name string, n int) (failed []int) {
	for i := range n {
		if err := Here(name); err != nil {
			failed = append(failed, i+1)
		}
	}
	return failed
}

func TestHits(t *testing.T) {
	f := func(at string, want ...int) {
		t.Helper()
		arm(t, "batch/success=fail"+at+", batch/published=fail@9")
		if got := hits("batch/success", 6); !slices.Equal(got, want) {
			t.Errorf("%q: failed at %v, want %v", at, got, want)
		}
	}
	f("", 1)
	f("@1", 1)
	f("@3", 3)
	f("@4+", 4, 5, 6)
	f("@1+", 1, 2, 3, 4, 5, 6)
	f("@3,batch/success=fail@5+", 3, 5, 6)

	// Drawn ones: the same for one seed, others for another, and about as many as asked.
	drawn := func(seed int) []int {
		arm(t, fmt.Sprintf("ingest/linked=fail@1/4:%d", seed))
		return hits("ingest/linked", 4000)
	}
	a, again, b := drawn(1), drawn(1), drawn(2)
	if !slices.Equal(a, again) || slices.Equal(a, b) {
		t.Error("a seed does not decide which hits are drawn")
	}
	if len(a) < 900 || len(a) > 1100 {
		t.Errorf("%d of 4000 hits were drawn, want about 1000", len(a))
	}
}

func TestFailAndDelay(t *testing.T) {
	stderr, log := arm(t, "ingest/before-link=fail@2,ingest/linked=delay=30ms")
	begun := time.Now()
	if err := errors.Join(Here("ingest/before-link"), Here("ingest/linked")); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took < 30*time.Millisecond {
		t.Errorf("a delay of 30ms took %v", took)
	}
	err := Here("ingest/before-link")
	if !errors.Is(err, ErrInjected) || !strings.Contains(err.Error(), "ingest/before-link at hit 2") {
		t.Errorf("got %v", err)
	}
	fired, err := ReadLog(log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fired {
		if age := time.Since(fired[i].Time); age < 0 || age > time.Minute || fired[i].PID != os.Getpid() {
			t.Errorf("%v is not of now and here", fired[i])
		}
		fired[i].Time, fired[i].PID = time.Time{}, 0
	}
	want := []Firing{{Name: "ingest/linked", Hit: 1, Action: "delay=30ms"}, {Name: "ingest/before-link", Hit: 2, Action: "fail"}}
	if diff := cmp.Diff(want, fired); diff != "" {
		t.Error(diff)
	}
	if text := stderr.String(); !strings.Contains(text, "FAILPOINTS ARE ARMED") || strings.Count(text, "FAILPOINT ") != 2 {
		t.Errorf("standard error says\n%s", text)
	}
}

func TestRefused(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		var stderr bytes.Buffer
		faults := Arm(func(name string) (string, bool) { return map[string]string{Variable: text}[name], true }, &stderr)
		if Armed() != "" || stderr.Len() > 0 {
			t.Errorf("%q: armed", text)
		}
		if len(faults) != len(want) {
			t.Errorf("%q: %d faults, want %d: %v", text, len(faults), len(want), faults)
			return
		}
		for i := range want {
			if faults[i].Variable != Variable || !strings.Contains(faults[i].Message, want[i]) {
				t.Errorf("%q: %v, want %q", text, faults[i], want[i])
			}
		}
	}
	f("")
	f("ingest/linked", `"ingest/linked" is not NAME=ACTION`)
	f("ingest/linkd=kill", `there is no failpoint "ingest/linkd"`)
	f("ingest/linked=die", `there is no action "die"`)
	f("ingest/linked=kill=3s", "kill takes no time")
	f("ingest/linked=delay", "delay needs a time above 0")
	f("ingest/linked=kill-after=0s", "kill-after needs a time above 0")
	f("ingest/linked=delay=soon", "delay needs a time above 0")
	for _, hits := range []string{"", "0", "-1", "x", "3-", "+", "1/", "1/0:1", "1/5", "1/5:x", "2/5:1"} {
		f("ingest/linked=kill@"+hits, fmt.Sprintf("the hits %q are none of", hits))
	}
	f("a=kill,ingest/linked=die@1,,ingest/linked=kill", `no failpoint "a"`, `no action "die"`, `"" is not NAME=ACTION`)
}

// A log that cannot be written would let a test believe that nothing happened.
func TestLogThatCannotBeWritten(t *testing.T) {
	environment := map[string]string{Variable: "ingest/linked=kill", LogVariable: t.TempDir()}
	faults := Arm(func(name string) (string, bool) { return environment[name], true }, os.Stderr)
	if len(faults) != 1 || faults[0].Variable != LogVariable || Armed() != "" {
		t.Errorf("got %v", faults)
	}
}

func TestUnknownNameInTheProgram(t *testing.T) {
	arm(t, "ingest/linked=fail")
	defer func() {
		if recover() == nil {
			t.Error("a place that no list names was passed")
		}
	}()
	_ = Here("ingest/nowhere")
}

func TestListsAreInOrder(t *testing.T) {
	for _, list := range [][]Point{Points, Mutants} {
		seen := map[string]bool{}
		for _, p := range list {
			if seen[p.Name] || p.What == "" || !strings.Contains(p.Name, "/") {
				t.Errorf("%+v is doubled, says nothing or is not of the form program/step", p)
			}
			seen[p.Name] = true
		}
	}
}

func BenchmarkHereOff(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = Here("ingest/linked")
	}
}

func TestNoAllocationWhenOff(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _ = Here("ingest/linked") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
