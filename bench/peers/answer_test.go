package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

func drawAnswers(t *rapid.T, name string) answers {
	list := answers{}
	for range rapid.IntRange(0, 8).Draw(t, name) {
		at := cell{rapid.SampledFrom([]string{"A", "B", "AB", "C"}).Draw(t, "key"), rapid.Int64Range(0, 2).Draw(t, "start")}
		f := list[at]
		f.add(rapid.Int64Range(-1, 1).Draw(t, "value"))
		list[at] = f
	}
	return list
}

// Ensure that answers compare equal exactly when they are, by cells and by digest.
func TestCompare(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := drawAnswers(rt, "a"), drawAnswers(rt, "b")
		same := cmp.Equal(a, b, cmp.AllowUnexported(cell{}, figures{}))
		if got := compare(a, b); (got == "") != same {
			rt.Fatalf("compare %v and %v: %q", a, b, got)
		}
		if (a.digest() == b.digest()) != same {
			rt.Fatalf("digests of %v and %v: %s and %s", a, b, a.digest(), b.digest())
		}
	})
	got := compare(answers{{"ATL", 0}: {1, 5, 5, 5}, {"BOS", 0}: {2, 0, -1, 1}}, answers{{"ATL", 0}: {1, 6, 6, 6}, {"BOS", 3}: {2, 0, -1, 1}})
	for _, want := range []string{"3 of 2 cells differ", "ATL of 0: {count:1 sum:6 min:6 max:6}, want {count:1 sum:5 min:5 max:5}", "BOS of 0: missing", "BOS of 3: ", "want no such cell"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	m := Mismatch{"flink-1s", got}
	if m.ExitCode() != 1 || !strings.HasPrefix(m.Error(), "flink-1s gave other answers") {
		t.Errorf("%d %q", m.ExitCode(), m.Error())
	}
}

// Ensure that hopping answers are those of folding each event into every window
// that holds it.
func TestHopping(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hours := rapid.IntRange(1, 4).Draw(rt, "hours")
		hourly, want := answers{}, answers{}
		add := func(a answers, at cell, v int64) {
			f := a[at]
			f.add(v)
			a[at] = f
		}
		for range rapid.IntRange(0, 9).Draw(rt, "events") {
			key, v := rapid.SampledFrom([]string{"A", "B"}).Draw(rt, "key"), rapid.Int64Range(-9, 9).Draw(rt, "value")
			h := rapid.Int64Range(5, 12).Draw(rt, "hour")
			add(hourly, cell{key, h * hour}, v)
			for start := h - int64(hours) + 1; start <= h; start++ {
				add(want, cell{key, start * hour}, v)
			}
		}
		if where := compare(want, hourly.hopping(hours)); where != "" {
			rt.Fatal(where)
		}
	})
}

// Ensure that a row says the same in the form of the processor and in that of
// the others.
func TestDecoders(t *testing.T) {
	r := result.Result{View: []byte("bench@0"), Stage: result.Final, Key: []byte("ATL"), Span: view.Span{Start: 3_600_000_000, End: 7_200_000_000}}
	r.Place.Scheduled = 77
	var f result.Fold
	for _, v := range []int64{5, -7} {
		f.Add(v)
	}
	r.Agg.Plain = f.Plain
	want := row{at: cell{"ATL", 3_600_000_000}, figures: figures{2, -2, -7, 5}, final: true, scheduled: 77}
	got, err := ours(r.Append(nil))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{}, cell{}, figures{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	r.Stage = result.Early
	if got, err = ours(r.Append(nil)); got.final || err != nil {
		t.Errorf("an early row is read as final: %v", err)
	}
	want.scheduled = 0
	got, err = theirs([]byte(`{"key":"ATL","start":3600000000,"count":2,"sum":-2,"min":-7,"max":5}`))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{}, cell{}, figures{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := theirs([]byte("\x0a\x03")); err == nil {
		t.Error("garbage is read as a row")
	}
}

// Ensure that every question is a views.yaml that the project accepts.
func TestViews(t *testing.T) {
	f := func(q question, want view.Window, final bool) {
		t.Helper()
		file, err := view.Parse("views.yaml", []byte(q.views()))
		if err != nil {
			t.Fatal(err)
		}
		v := file.Views[0]
		if v.Window != want || v.Lateness != q.lateness.Microseconds() || v.FinalOnly != final {
			t.Errorf("%+v of %s", v, q.views())
		}
	}
	q := comparison()
	f(q, view.Window{Kind: view.Tumbling, Size: hour, Hop: hour}, false)
	q.window, q.every, q.final = 24*time.Hour, time.Hour, true
	f(q, view.Window{Kind: view.Hopping, Size: 24 * hour, Hop: hour}, true)
	f(question{window: time.Second, believed: "{count: 1, of: 1}", final: true}, view.Window{Kind: view.Tumbling, Size: loadWindow, Hop: loadWindow}, true)
}

// Ensure that a plan's windows close with the first event behind their end, and
// that its answers are those of its events.
func TestPlan(t *testing.T) {
	for _, rate := range []int{1000, 1777} {
		p := newPlan(rate, time.Second)
		if p.events != rate {
			t.Fatalf("%d events", p.events)
		}
		due := func(at cell, partition int32) (time.Duration, bool) { // naively
			for i := range p.events {
				if e := p.event(i); p.partition[p.numbers[string(e.Key)]] == partition && e.Time >= at.start+loadWindow {
					return p.due(i), true
				}
			}
			return 0, false
		}
		var counted uint64
		var before int64
		for i := range p.events {
			e := p.event(i)
			if err := e.Check(); err != nil || e.Time < before || e.Time%1000 != 0 {
				t.Fatalf("event %d: %+v, %v", i, e, err)
			}
			before = e.Time
		}
		closed := 0
		for at, f := range p.cells {
			counted += f.count
			var last time.Duration
			every := true
			for partition := range int32(partitions) {
				d, ok := due(at, partition)
				last, every = max(last, d), every && ok
				if partition == p.partition[p.numbers[at.key]] {
					if got, known := p.closing(at, false); got != d || known != ok {
						t.Fatalf("%v closes at %v %t, want %v %t", at, got, known, d, ok)
					}
					if ok {
						closed++
					}
				}
			}
			if got, known := p.closing(at, true); known != every || every && got != last {
				t.Fatalf("%v closes everywhere at %v %t, want %v %t", at, got, known, last, every)
			}
		}
		if counted != uint64(p.events) || closed < 800 {
			t.Errorf("%d of %d events in cells, %d of %d cells closed", counted, p.events, closed, len(p.cells))
		}
		for _, at := range []cell{{"unknown", loadOrigin}, {"K00", loadOrigin - loadWindow}, {"K00", loadOrigin + 1000*loadWindow}} {
			if _, ok := p.closing(at, false); ok {
				t.Errorf("%v closes", at)
			}
		}
	}
}

// Ensure that the events of a plan are what the wire form says.
func TestPlanOnTheWire(t *testing.T) {
	p := newPlan(1000, time.Second)
	want := `{"producer":"load","seq":50,"key":"K50","subject":"K00","event_time":992217601000000,"value":-50}`
	if got := string(event.AppendJSON(nil, p.event(50))); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
