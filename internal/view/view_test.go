package view_test

import (
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/view"
)

func parse(t *testing.T, text string) *view.File {
	t.Helper()
	f, err := view.Parse("views.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestProjectsOwnFile(t *testing.T) {
	text, err := os.ReadFile("../../views.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := parse(t, string(text))
	hour := int64(time.Hour / time.Microsecond)
	var got []view.Window
	for _, v := range f.Views {
		got = append(got, v.Window)
	}
	want := []view.Window{{Kind: view.Tumbling, Size: hour, Hop: hour}, {Kind: view.Hopping, Size: 6 * hour, Hop: hour}, {Kind: view.Session, Gap: hour}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDefaults(t *testing.T) {
	f := parse(t, "views: [{name: a, window: {tumbling: 1d}}]")
	if f.Time.Count != 8 || f.Time.Of != 64 || f.Time.Lag != 0 || len(f.Time.Senders) != 0 {
		t.Errorf("rules of time %+v", f.Time)
	}
	if v := f.Views[0]; v.Lateness != 3600e6 || v.Window.Size != 86400e6 || len(v.Aggregates) != len(view.Plain) || v.AsksQuantiles() || v.AsksDistinct() || v.FinalOnly {
		t.Errorf("view %+v", v)
	}
}

// The identity is stored with state and rows: it must not change by itself, and
// must change with everything that changes an answer.
func TestIdentity(t *testing.T) {
	const base = "time: {punctuation: [b, a]}\nviews: [{name: a, window: {hopping: 6h, every: 1h}, aggregates: [sum, count]}]"
	id := func(text string) string { return parse(t, text).Views[0].ID() }
	if got, want := id(base), "a@802a670ca261b185"; got != want {
		t.Errorf("identity %s, want %s", got, want)
	}
	if id(base) != id("views:\n - aggregates: [count, sum]\n   window: {every: 60m, hopping: 6h}\n   name: a\ntime: {punctuation: [a, b]}") {
		t.Error("another way to write the same question has another identity")
	}
	if id(base) != id(strings.Replace(base, "name: a", "emit: final, name: a", 1)) {
		t.Error("what is published besides the answers is part of the identity")
	}
	seen := map[string]string{id(base): base}
	for _, change := range [][2]string{
		{"6h", "7h"}, {"1h", "2h"}, {"hopping: 6h, every: 1h", "tumbling: 6h"}, {"[sum, count]", "[sum]"},
		{"[b, a]", "[b]"}, {"{punctuation", "{lag: 1s, punctuation"}, {"{punctuation", "{believed: {count: 9}, punctuation"},
		{"{punctuation", "{believed: {of: 65}, punctuation"}, {"name: a", "lateness: 2h, name: a"},
		{"hopping: 6h, every: 1h", "session: 6h"}, {"hopping: 6h, every: 1h", "session: 1h"}, {"[sum, count]", "[sum, count, p50]"},
		{"[sum, count]", "[sum, count, distinct]"},
	} {
		text := strings.Replace(base, change[0], change[1], 1)
		if other, twice := seen[id(text)]; twice {
			t.Errorf("%q and %q have the same identity", text, other)
		}
		seen[id(text)] = text
	}
}

func TestStarts(t *testing.T) {
	f := func(size, hop, at, first, last int64) {
		t.Helper()
		a, b := view.Window{Size: size, Hop: hop}.Starts(at)
		if a != first || b != last {
			t.Errorf("size %d hop %d at %d: got %d..%d, want %d..%d", size, hop, at, a, b, first, last)
		}
	}
	f(10, 10, 0, 0, 0)
	f(10, 10, 9, 0, 0)
	f(10, 10, 10, 10, 10)
	f(10, 10, -1, -10, -10) // floor division also before the epoch
	f(10, 10, -10, -10, -10)
	f(10, 10, -11, -20, -20)
	f(60, 10, 5, -50, 0)
	f(60, 10, 60, 10, 60)

	rapid.Check(t, func(t *rapid.T) {
		hop := rapid.Int64Range(1, 1e12).Draw(t, "hop")
		w := view.Window{Hop: hop, Size: hop * rapid.Int64Range(1, 100).Draw(t, "overlap")}
		at := rapid.Int64Range(-1e15, 1e16).Draw(t, "at")
		first, last := w.Starts(at)
		n := int64(0)
		for s := first; s <= last; s += w.Hop {
			n++
			if s > at || at >= s+w.Size || new(big.Int).Mod(big.NewInt(s), big.NewInt(w.Hop)).Sign() != 0 {
				t.Fatalf("window [%d, %d) of %+v does not hold %d", s, s+w.Size, w, at)
			}
		}
		if n != w.Size/w.Hop {
			t.Fatalf("%d windows, want %d", n, w.Size/w.Hop)
		}
	})
}

func TestEveryFaultWithItsPlace(t *testing.T) {
	const text = `tiem: {}
time:
  believed: {count: 9, of: 8}
  lag: -1s
  punctuation: generator
views:
  - name: Hourly
    window: {tumbling: 0s}
  - name: b
    window: {hopping: 6h, every: 4h}
    lateness: soon
    aggregates: [count, median]
  - name: b
    window: {hopping: 6h}
  - window: {tumbling: 1h, hopping: 2h}
    window: {}
  - name: c
    windows: {}
  - name: d
    window: {hopping: 1h, every: 2h}
  - name: e
    window: {hopping: 2000h, every: 1h}
  - name: f
    window: {tumbling: 1h, every: 1h}
  - name: g
    window: {}
  - 7
  - name: h
    window: {session: 0s}
    emit: often
  - name: i
    window: {session: 30m, every: 5m}
`
	const want = `views.yaml:1:1: "tiem" is not known here; known are time, views
views.yaml:3:13: believed: count 9 of 8 can never happen; count must not be above of
views.yaml:4:8: lag: "-1s" must be a length of time such as 90s, 1h or 7d, from 0s to 3660d, in whole µs
views.yaml:5:16: punctuation: must be a list of senders, such as [generator]
views.yaml:7:11: name "Hourly" must be 1 to 64 of a-z, 0-9 and '-', beginning with a letter
views.yaml:8:24: tumbling: "0s" must be a length of time such as 90s, 1h or 7d, from 1µs to 3660d, in whole µs
views.yaml:10:34: every: 4h0m0s does not divide the window of 6h0m0s
views.yaml:11:15: lateness: "soon" must be a length of time such as 90s, 1h or 7d, from 0s to 3660d, in whole µs
views.yaml:12:25: aggregate "median" is not known; known are [count sum min max mean p50 p95 p99 distinct]
views.yaml:13:5: the name "b" is taken by the view on line 9
views.yaml:14:13: a hopping window needs every: STEP, such as {hopping: 6h, every: 1h}
views.yaml:15:5: the view has no name
views.yaml:15:37: a window is tumbling, hopping or a session, one of them
views.yaml:16:5: "window" stands twice
views.yaml:17:5: the view has no window, such as window: {tumbling: 1h}
views.yaml:18:5: "windows" is not known here; known are aggregates, emit, lateness, name, window
views.yaml:20:34: every: 2h0m0s is longer than the window of 1h0m0s: events between two windows would count nowhere
views.yaml:22:37: each event would fall into 2000 windows, at most 1024 are answered
views.yaml:24:35: every: belongs to a hopping window only
views.yaml:26:13: window: needs tumbling: LENGTH, hopping: LENGTH with every: STEP, or session: GAP
views.yaml:27:5: a view must be a mapping with aggregates, emit, lateness, name, window
views.yaml:29:23: session: "0s" must be a length of time such as 90s, 1h or 7d, from 1µs to 3660d, in whole µs
views.yaml:30:11: emit: "often" must be updates (rows of open windows too, the default) or final
views.yaml:32:35: every: belongs to a hopping window only`
	_, err := view.Parse("views.yaml", []byte(text))
	if err == nil {
		t.Fatal("no fault found")
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsOfTheWholeFile(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := view.Parse("v", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
	f("", "v: the file is empty: it needs at least one entry below views:")
	f("time: {}", "v:1:1: views: is missing")
	f("views: []", "v:1:8: views: must be a list with at least one view")
	f("[]", "v:1:1: the file must be a mapping with time, views")
	f("views:\n\t- a", "v:2:1: found character that cannot start any token")
	f(strings.Repeat("#", 1<<20+1), "v: 1048577 bytes are too many, at most 1048576 are read")
}

func FuzzParse(f *testing.F) {
	f.Add("time: {believed: {count: 8, of: 64}, lag: 0s, punctuation: [g]}\nviews: [{name: a, window: {hopping: 6h, every: 1h}, lateness: 1h, aggregates: [count]}]")
	f.Add("views: [{name: a, window: {tumbling: 7d}}]")
	f.Add("views: [{name: a, window: {session: 30m}, emit: final, aggregates: [p50, p99, distinct]}]")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := view.Parse("v", []byte(text))
		if err != nil {
			if file != nil || err.Error() == "" {
				t.Fatalf("%v with %v", err, file)
			}
			return
		}
		for _, v := range file.Views {
			w := v.Window
			if w.Kind == view.Session {
				w = view.Window{Size: w.Gap, Hop: w.Gap}
			}
			if w.Hop <= 0 || w.Size%w.Hop != 0 || v.Lateness < 0 || len(v.Aggregates) == 0 || v.ID() == "" {
				t.Fatalf("accepted %+v", v)
			}
		}
	})
}
