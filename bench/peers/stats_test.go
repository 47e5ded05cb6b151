package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	if got := median([]float64{9, 1, 2}); got != 2 {
		t.Errorf("%v, want 2", got)
	}
	if got := median([]int64{9, 1, 2, 4}); got != 3 {
		t.Errorf("%v, want 3", got)
	}
}

// Ensure that marginal costs are of the events more, run by run, and that an
// engine whose runs are not complete is left out.
func TestCosts(t *testing.T) {
	small, large := &set{name: "small", events: 1000}, &set{name: "large", events: 3000}
	var samples []sample
	for _, x := range []struct {
		engine     string
		cpu, cpu12 int64 // ms
	}{{"a", 10, 14}, {"b", 30, 50}, {"a", 100, 102}, {"b", 40, 50}, {"a", 20, 26}, {"b", 20, 50}} {
		for _, s := range []struct {
			set *set
			cpu time.Duration
		}{{small, time.Duration(x.cpu) * time.Millisecond}, {large, time.Duration(x.cpu12) * time.Millisecond}} {
			samples = append(samples, sample{Engine: x.engine, Set: s.set.name, Events: s.set.events, CPU: s.cpu, Broker: s.cpu / 2, Wall: 2 * s.cpu, Peak: s.cpu.Milliseconds()})
		}
	}
	samples = append(samples, sample{Engine: "c", Set: "small", Events: 1000})
	got := costs([]engine{{name: "a", about: "A"}, {name: "b", about: "B"}, {name: "c"}}, samples, small, large)
	want := []cost{
		{Engine: "a", About: "A", Whole: 20, Marginal: 2, BrokerMarginal: 1, Rate: 250_000, PeakSmall: 20, PeakLarge: 26, Ratio: 1},
		{Engine: "b", About: "B", Whole: 30, Marginal: 10, BrokerMarginal: 5, Rate: 50_000, PeakSmall: 30, PeakLarge: 50, Ratio: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTable(t *testing.T) {
	x := table{head: []string{"name", "µs"}}
	x.add("a|b", "%.2f", 1.0)
	if got, want := x.String(), "| name | µs |\n|---|---:|\n| a\\|b | 1.00 |\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0.4567: "0.457", 12.34: "12.3", 24: "24", 999: "999", 123.4: "123", 12_345: "12 k", 999_499: "999 k", 999_500: "1 M", 12e6: "12 M"} {
		if got := figure(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// Ensure that charts are well-formed, also of names that are markup and of
// nothing.
func TestCharts(t *testing.T) {
	for _, chart := range []string{
		bars("t", "µs", []string{"a", "b"}, []bar{{"<a & b>", []float64{1, 2}}, {"c", []float64{0, 0}}}),
		bars("t", "µs", nil, nil),
		svg(9, 9, panel(0, 0, "<x>", []line{{"a", []float64{1, 10, 100}, []float64{3, 2, 1}}, {"b", []float64{1}, []float64{1}}})),
		scaleChart([]*point{{Part: "events", X: 3, CPU: 1}}), scaleChart(nil),
	} {
		if strings.Contains(chart, "NaN") || strings.Contains(chart, "Inf") {
			t.Errorf("not a number in %s", chart)
		}
		d := xml.NewDecoder(strings.NewReader(chart))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, chart)
			}
		}
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("4242 (a) b (c) S 1 4242 4242 0 -1 4194560 1 2 3 4 150 25 6 7 20 0 9 0 1"))
	if want := 1750 * time.Millisecond; got != want || err != nil {
		t.Errorf("%v %v, want %v", got, err, want)
	}
	for _, bad := range []string{"", "1 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 x y 1"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// Ensure that what the kernel says of a process is read, and that a program
// which ends badly is told with its last words.
func TestProcess(t *testing.T) {
	p, err := start(t.Context(), "sleeper", t.TempDir(), t.TempDir(), []string{"X=1"}, "sh", "-c", "echo last words $X; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for tail(p.log, 1) != "last words 1" || p.peak() == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s: %q, %d", tail(p.log, 1), p.peak())
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := p.cpu(); err != nil {
		t.Error(err)
	}
	if err := p.stop(10 * time.Second); err != nil {
		t.Errorf("asked to end: %v", err)
	}
	if p.peak() != 0 {
		t.Error("an ended program has memory")
	}
	p, err = start(t.Context(), "failing", t.TempDir(), t.TempDir(), nil, "sh", "-c", "echo why; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.failure(); err == nil || !strings.Contains(err.Error(), "why") || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("%v", err)
	}
}

func TestField(t *testing.T) {
	if got := field("a: b\nmodel name\t: AMD: EPYC\n", "model name"); got != "AMD: EPYC" {
		t.Errorf("%q", got)
	}
	if got := field(" x\n", ""); got != "x" {
		t.Errorf("%q", got)
	}
}

func TestLive(t *testing.T) {
	cells := answers{}
	for h, keys := range map[int64]string{0: "ABC", 1: "AB", 2: "A", 10: "ABCD"} {
		for _, k := range keys {
			cells[cell{string(k), h * hour}] = figures{}
		}
	}
	for lateness, want := range map[int]int{0: 4, 1: 5, 2: 6, 8: 6, 9: 7, 10: 10, 100: 10} {
		if got := live(cells, time.Duration(lateness)*time.Hour); got != want {
			t.Errorf("%d cells are open with %d h of lateness, want %d", got, lateness, want)
		}
	}
	if got := latenessFor(cells, 7); got != 9*time.Hour {
		t.Errorf("%v, want 9h", got)
	}
	if got := latenessFor(cells, 11); got != 3660*24*time.Hour {
		t.Errorf("%v, want the longest", got)
	}
}

// What a machine does to one round counts for neither side.
func TestGuaranteeLineComparesRounds(t *testing.T) {
	runs := func(walls ...time.Duration) (list []sample) {
		for _, wall := range walls {
			list = append(list, sample{Wall: wall})
		}
		return list
	}
	got := guaranteeLine([]*point{{Name: "exactly-once", runs: runs(10, 40, 20)}, {Name: "at-least-once", runs: runs(9, 20, 16)}})
	if want := "\nExactly once has 0.800 of the throughput of at least once, from 0.500 to 0.900 by round.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := guaranteeLine([]*point{{Name: "3 events"}}); got != "" {
		t.Errorf("without the part: %q", got)
	}
}

func TestInTurnsReversesEachOtherRound(t *testing.T) {
	a, b := &point{Name: "a"}, &point{Name: "b"}
	for run, first := range []*point{a, b, a} {
		if got := inTurns([]*point{a, b}, run); len(got) != 2 || got[0] != first {
			t.Errorf("round %d begins with %q", run, got[0].Name)
		}
	}
}

// A machine that slows down between rounds must not look like growth.
func TestGrowthLine(t *testing.T) {
	got := growthLine([]*point{
		{Part: "events", Name: "3 M events", Rounds: []float64{1, 2, 4}},
		{Part: "events", Name: "6 M events", Rounds: []float64{1.1, 2.1, 4.2}},
		{Part: "events", Name: "12 M events", Rounds: []float64{0.9, 2.6, 4.2}},
		{Part: "guarantee", Name: "exactly-once", Rounds: []float64{9, 9, 9}},
	})
	if want := "\n*events*: at its dearest point an event costs 1.10 times what it costs with 3 M events, from 1.05 to 1.30 by round.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
