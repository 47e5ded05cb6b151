package engine_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A batch's state reaches the changelog in part. Wherever it is torn, the state
// loads; the batch taken in again counts each event once or twice, and one that is
// left out once or not at all.
func TestResumeAfterATornEnd(t *testing.T) {
	f, err := view.Parse("views.yaml", []byte(threeViews))
	must(t, err)
	torn := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		log := anonymous(r, 80)
		from := 10 + r.IntN(40)
		until := from + 1 + r.IntN(30)
		first := inFive(t, f, log[:from], r)
		before := first.e.Stats()
		attempt := transaction(first.e, int64(from), bytesOf(log[from:until])...)
		after := first.e.Stats()
		state, output := divide(attempt)
		for _, again := range []bool{true, false} {
			list := ordered(state, int64(until))
			cut := r.IntN(len(list) + 1)
			if cut > 0 && cut < len(list) {
				torn++
			}
			e := engine.New(f, "in", 0)
			e.SetSource("topic-id", 4)
			for _, m := range slices.Concat(first.changelog, list[:cut]) {
				must(t, e.Load(m.key, m.value))
			}
			at := engine.Where{Next: int64(from), Transaction: 5, Watermark: before.Watermark}
			rows := maps.Clone(first.rows)
			if again || cut > 0 { // which goes before the state
				collectRows(t, rows, output)
			}
			if !again {
				at.Next, at.Watermark = int64(until), after.Watermark
			}
			meta, err := e.Resume(at)
			must(t, err)
			if e.Next() != at.Next || e.Transaction() != 5 ||
				(meta.Next == int64(until)) != hasMeta(list[:cut]) || (meta.Reach == int64(until)) != (cut > 0) {
				t.Fatalf("seed %d: at offset %d, transaction %d, the changelog at %d, with a reach of %d", seed, e.Next(), e.Transaction(), meta.Next, meta.Reach)
			}
			for rest := log[at.Next:]; len(rest) > 0; {
				n := min(1+r.IntN(20), len(rest))
				out := transaction(e, rest[0].Offset, bytesOf(rest[:n])...)
				collectRows(t, rows, out)
				rest = rest[n:]
				if s := e.Stats(); len(rest) == 0 && (s.Watermark != event.MaxWatermark || s.Keys != 0) {
					t.Errorf("seed %d: at the end: %+v", seed, s)
				}
			}
			checkResumed(t, fmt.Sprintf("seed %d, torn at %d of %d, again %t", seed, cut, len(list), again), f, log, rows, from, until, again)
		}
	}
	if torn < 60 {
		t.Errorf("only %d of 120 were torn", torn)
	}
}

// checkResumed holds rows against the right ones, and the events of the batch in
// them; of sessions, which may be cut otherwise, all of a key together.
func checkResumed(t *testing.T, what string, f *view.File, log []oracle.Record, rows map[result.Cell]result.Agg, from, until int, again bool) {
	t.Helper()
	want := oracle.Stream(f, log)
	closed := oracle.Stream(f, log[:until])
	lows, highs, gots := map[result.Cell]uint64{}, map[result.Cell]uint64{}, map[result.Cell]uint64{}
	for cell, right := range want.Rows {
		batch, name := inside(log[from:until], cell), whole(f, cell)
		low, high := right.Count, right.Count+batch
		_, done := closed.Rows[cell]
		switch {
		case !again: // what is lost moved the watermark too, so others may not be late any more
			low -= min(low, batch)
			high = inside(log, cell)
			if kindOf(f, cell) == view.Session {
				high = math.MaxUint32 // told again under another start
			}
		case done && kindOf(f, cell) == view.Tumbling:
			high = low
		}
		lows[name] += low
		highs[name] += high
	}
	for cell, row := range rows {
		gots[whole(f, cell)] += row.Count
	}
	for name, high := range highs {
		if got := gots[name]; got < lows[name] || got > high {
			t.Errorf("%s: %v counts %d, want %d to %d", what, name, got, lows[name], high)
		}
	}
	for name := range gots {
		if _, known := highs[name]; !known {
			t.Errorf("%s: there should be no %v", what, name)
		}
	}
}

// whole is the cell, but of a session view all time.
func whole(f *view.File, c result.Cell) result.Cell {
	if kindOf(f, c) == view.Session {
		c.Span = view.Span{}
	}
	return c
}

func kindOf(f *view.File, c result.Cell) view.Kind {
	i := slices.IndexFunc(f.Views, func(v view.View) bool { return v.ID() == c.View })
	return f.Views[i].Window.Kind
}

func hasMeta(list []message) bool {
	return slices.ContainsFunc(list, func(m message) bool { _, is := engine.DecodeMeta(m.key, m.value); return is })
}

// inside is how many events of the log lie in a cell.
func inside(log []oracle.Record, c result.Cell) (n uint64) {
	for _, l := range log {
		var r event.Record
		if r.Decode(l.Value) == nil && r.Kind == event.KindEvent && string(r.Event.Key) == c.Key && r.Event.Time >= c.Span.Start && r.Event.Time < c.Span.End {
			n++
		}
	}
	return n
}

// ran is an engine with what it wrote.
type ran struct {
	e         *engine.Engine
	changelog []message
	rows      map[result.Cell]result.Agg
}

// inFive applies a log in five transactions.
func inFive(t *testing.T, f *view.File, log []oracle.Record, r *rand.Rand) ran {
	w := ran{e: engine.New(f, "in", 0), rows: map[result.Cell]result.Agg{}}
	w.e.SetSource("topic-id", 4)
	for i := range 5 {
		n := len(log)
		if i < 4 {
			n = r.IntN(n/2 + 1)
		}
		state, output := divide(transaction(w.e, offsetOf(log), bytesOf(log[:n])...))
		w.changelog = append(w.changelog, state...)
		collectRows(t, w.rows, output)
		log = log[n:]
	}
	return w
}

func offsetOf(log []oracle.Record) int64 {
	if len(log) == 0 {
		return 0
	}
	return log[0].Offset
}

func bytesOf(log []oracle.Record) (list [][]byte) {
	for _, l := range log {
		list = append(list, l.Value)
	}
	return list
}

// divide parts the changelog from the rest.
func divide(list []message) (state, output []message) {
	for _, m := range list {
		if m.topic == engine.Changelog {
			state = append(state, m)
		} else {
			output = append(output, m)
		}
	}
	return state, output
}

// ordered is how a changelog is written that is not atomic: a reach before it, and
// what ends behind the meta record.
func ordered(state []message, next int64) (list []message) {
	key, value := engine.Reach(next)
	list = append(list, message{engine.Changelog, key, value})
	for _, ends := range []bool{false, true} {
		for _, m := range state {
			if (m.value == nil) == ends {
				list = append(list, m)
			}
		}
	}
	return list
}

// collectRows takes final rows in, later ones over earlier ones.
func collectRows(t *testing.T, rows map[result.Cell]result.Agg, list []message) {
	for _, m := range list {
		var r result.Result
		if m.topic != engine.Results {
			continue
		}
		if err := r.Decode(m.value); err != nil {
			t.Fatal(err)
		}
		if r.Stage == result.Final {
			rows[r.Cell()] = r.Agg
		}
	}
}

// anonymous is a log of events without ids, about in order, and what closes all.
func anonymous(r *rand.Rand, n int) (log []oracle.Record) {
	for i := range n {
		value := event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("me"), Watermark: event.MaxWatermark})
		if i < n-1 {
			value = keyed(fmt.Sprint("k", r.IntN(3)), max(0, int64(i)+20-r.Int64N(12)))
		}
		log = append(log, oracle.Record{Offset: int64(i), Value: value})
	}
	return log
}
