package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// loaded makes an engine that has read a changelog.
func loaded(t *testing.T, f *view.File, partition int32, changelog []message) *engine.Engine {
	t.Helper()
	e := engine.New(f, "events", partition)
	e.SetSource("topic-id", 4)
	for _, m := range changelog {
		if err := e.Load(m.key, m.value); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// lacking is the file with the views of f that another lacks.
func lacking(f, other *view.File) *view.File {
	only := &view.File{Time: f.Time}
	has := map[string]bool{}
	for i := range other.Views {
		has[other.Views[i].ID()] = true
	}
	for i := range f.Views {
		if !has[f.Views[i].ID()] {
			only.Views = append(only.Views, f.Views[i])
		}
	}
	return only
}

// disguised is a log in which the events before an offset have a key of their
// own: all is judged as ever, but no other key's row holds them.
func disguised(t *testing.T, log []oracle.Record, since int64) []oracle.Record {
	t.Helper()
	var list []oracle.Record
	for _, l := range log {
		var r event.Record
		if l.Offset < since && r.Decode(l.Value) == nil && r.Kind == event.KindEvent {
			r.Event.Key = []byte("disguise")
			l.Value = event.AppendProto(nil, &r.Event)
		}
		list = append(list, l)
	}
	return list
}

// answers is what an oracle says of some views of a file from an offset on.
func answers(a *oracle.Answer, views *view.File, since, from int64, into *oracle.Answer) {
	ids := map[string]bool{}
	for i := range views.Views {
		ids[views.Views[i].ID()] = true
	}
	for c, agg := range a.Rows {
		if ids[c.View] && a.ClosedAt[c] >= from && c.Key != "disguise" {
			into.Rows[c], into.ClosedAt[c] = agg, a.ClosedAt[c]
		}
	}
	for c, agg := range a.Open {
		if ids[c.View] && c.Key != "disguise" {
			into.Open[c] = agg
		}
	}
	for _, x := range a.Excluded {
		if ids[x.View] && x.Offset >= max(since, from) {
			into.Excluded = append(into.Excluded, x)
		}
	}
}

// A state with changed views goes on as if the new views had been there from the
// start, if they were rebuilt; else as if they had counted from the change on.
func TestChange(t *testing.T) {
	var rows, dropped, taken int
	rounds := uint64(60)
	if testing.Short() {
		rounds = 20
	}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 11))
			head := randomTime(r) + randomViews(r, "kept", r.IntN(3))
			before := parse(t, head+randomViews(r, "view", 1+r.IntN(2)))
			after := parse(t, head+randomViews(r, "view", 1+r.IntN(2)))
			missing := lacking(after, before)
			log := randomLog(r, 2, 200+r.IntN(400))
			split := r.IntN(len(log))
			e, committed := run(t, r, before, log[:split+1])
			next := e.Next()
			state := changelog(committed)

			var rebuilt *engine.Engine
			since := next
			if r.IntN(2) == 0 {
				since = 0
				rebuilt, _ = run(t, r, missing, log[:split+1])
			}
			changed := loaded(t, after, 2, compact(r, state))
			var out engine.Output
			meta, err := changed.Change(rebuilt, &out)
			if err != nil || meta.Next != next || meta.Transaction != e.Transaction() {
				t.Fatalf("%+v, %v", meta, err)
			}
			changed.Commit()
			for _, m := range messages(&out) {
				if m.topic != engine.Changelog {
					t.Errorf("the change wrote to %v", m.topic)
				}
				state = append(state, m)
				if m.value == nil {
					dropped++
				}
			}
			taken += out.Len()
			checkChanges(t, append(committed, state[len(state)-out.Len():]...))
			restored := restore(t, after, 2, compact(r, state))
			same(t, "state from the changelog", strings.Split(restored.Dump(), "\n"), strings.Split(changed.Dump(), "\n"))
			for _, v := range restored.Stats().Views {
				fresh := false
				for i := range missing.Views {
					fresh = fresh || missing.Views[i].ID() == v.View
				}
				if fresh && v.Since != since || !fresh && v.Since != 0 {
					t.Errorf("%s counts since %d", v.View, v.Since)
				}
			}

			var rest engine.Output
			if err := changed.Apply(batch(log[split+1:]), &rest); err != nil {
				t.Fatal(err)
			}
			got := collect(t, messages(&rest))
			got.Open = changed.Open()
			want := empty()
			answers(oracle.Stream(after, log), lacking(after, missing), 0, next, want)
			answers(oracle.Stream(after, disguised(t, log, since)), missing, since, next, want)
			same(t, "final rows", got.Rows, want.Rows)
			same(t, "closing offsets", got.ClosedAt, want.ClosedAt)
			same(t, "open rows", got.Open, want.Open)
			same(t, "late", count(got.Excluded), count(want.Excluded))
			rows += len(got.Rows)
		})
	}
	if rows < 10*int(rounds) || dropped < int(rounds) || taken < 5*int(rounds) {
		t.Errorf("%d final rows, %d tombstones, %d records", rows, dropped, taken)
	}
}

func empty() *oracle.Answer {
	return &oracle.Answer{Rows: map[result.Cell]result.Agg{}, Open: map[result.Cell]result.Agg{}, ClosedAt: map[result.Cell]int64{}}
}

// collect reads final rows and late placements.
func collect(t *testing.T, list []message) *oracle.Answer {
	t.Helper()
	a := empty()
	for _, m := range list {
		switch m.topic {
		case engine.Results:
			if x := decodeResult(t, m); x.Stage == result.Final {
				a.Rows[x.Cell()], a.ClosedAt[x.Cell()] = x.Agg, x.Place.Offset
			}
		case engine.Excluded:
			if x := decodeExclusion(t, m); x.Cause == result.Late {
				a.Excluded = append(a.Excluded, oracle.Exclusion{
					Partition: x.Place.Partition, Offset: x.Place.Offset, Cause: x.Cause, View: string(x.View), Span: x.Span, Watermark: x.Watermark,
				})
			}
		case engine.DeadLetters, engine.Changelog:
		}
	}
	return a
}

func count[T comparable](list []T) map[T]int {
	n := map[T]int{}
	for _, x := range list {
		n[x]++
	}
	return n
}

func TestChangeRefuses(t *testing.T) {
	before := parse(t, twoViews)
	e := engine.New(before, "events", 0)
	state := changelog(transaction(e, 0, value(1, 3, 1), value(2, 14, 1), value(3, 14, 1)))
	after := parse(t, threeViews)
	visits := lacking(after, before)
	at := func(f *view.File, values ...[]byte) *engine.Engine {
		e := engine.New(f, "events", 0)
		transaction(e, 0, values...)
		return e
	}
	for name, c := range map[string]struct {
		file    *view.File
		rebuilt *engine.Engine
		want    string
	}{
		"other rules of time": {parse(t, strings.Replace(threeViews, "count: 2", "count: 1", 1)), nil, "rules of time"},
		"behind":              {after, at(visits, value(1, 3, 1), value(2, 14, 1)), "stand at offset 2, but the state at 3"},
		"ahead":               {after, at(visits, value(1, 3, 1), value(2, 14, 1), value(3, 14, 1), nil), "stand at offset 4, but the state at 3"},
		"other records":       {after, at(visits, value(1, 3, 1), value(2, 15, 1), value(3, 15, 1)), "did not see the same records"},
		"too many views":      {after, at(after, value(1, 3, 1), value(2, 14, 1), value(3, 14, 1)), "but the state lacks"},
		"none of the views":   {before, at(visits, value(1, 3, 1), value(2, 14, 1), value(3, 14, 1)), "but the state lacks"},
	} {
		var out engine.Output
		_, err := loaded(t, c.file, 0, state).Change(c.rebuilt, &out)
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if changed := (*engine.ViewsError)(nil); name == "other rules of time" && !errors.As(err, &changed) {
			t.Errorf("%s: %T", name, err)
		}
	}
	var out engine.Output
	if _, err := loaded(t, after, 0, state[:len(state)-1]).Change(nil, &out); err == nil || !strings.Contains(err.Error(), "meta") {
		t.Errorf("a changelog without meta: %v", err)
	}
	// A lost cell of a view that is to be dropped is noticed.
	for i, m := range state {
		if m.key[1] != 1 {
			continue
		}
		lost := append(append([]message{}, state[:i]...), state[i+1:]...)
		for _, f := range []*view.File{parse(t, twoViews[:strings.Index(twoViews, "  - {name: hop")]), before} {
			if _, err := loaded(t, f, 0, lost).Change(nil, &out); err == nil || !strings.Contains(err.Error(), "open cells") {
				t.Errorf("without %q: %v", m.key, err)
			}
		}
	}
}

// A partition that has no state yet gets one that counts from its beginning.
func TestChangeOfNothing(t *testing.T) {
	f := parse(t, threeViews)
	var out engine.Output
	for _, rebuilt := range []*engine.Engine{nil, engine.New(f, "events", 0)} {
		e := engine.New(f, "events", 0)
		out.Reset()
		if meta, err := e.Change(rebuilt, &out); err != nil || meta.Transaction != 0 || out.Len() != 1 {
			t.Fatalf("%+v, %v, %d records", meta, err, out.Len())
		}
		e.Commit()
		list := append(messages(&out), changelog(transaction(e, 0, value(1, 3, 1)))...)
		if restore(t, f, 0, list).Dump() != e.Dump() {
			t.Error("the restored state differs")
		}
	}
}

// After the rollback of a change the engine is of no use.
func TestChangeRolledBack(t *testing.T) {
	state := changelog(transaction(engine.New(parse(t, twoViews), "events", 0), 0, value(1, 3, 1)))
	e := loaded(t, parse(t, threeViews), 0, state)
	var out engine.Output
	if _, err := e.Change(nil, &out); err != nil {
		t.Fatal(err)
	}
	e.Rollback()
	defer func() {
		if s, _ := recover().(string); !strings.HasPrefix(s, "BUG: ") {
			t.Errorf("%q", s)
		}
	}()
	e.Flush(&out)
}

// A floor is where counting begins, before and after a load, and in a change;
// the Meta of what was loaded is the changelog's own.
func TestFloor(t *testing.T) {
	before, after := parse(t, twoViews), parse(t, threeViews)
	e := engine.New(before, "events", 0)
	e.SetFloor(7)
	state := changelog(transaction(e, 0, value(1, 3, 1)))
	e.SetFloor(3)
	if e.Transaction() != 8 {
		t.Errorf("transaction %d", e.Transaction())
	}
	e = loaded(t, before, 0, state)
	e.SetFloor(20)
	if meta, err := e.Loaded(); err != nil || meta.Transaction != 8 || e.Transaction() != 20 {
		t.Errorf("%+v, %v, transaction %d", meta, err, e.Transaction())
	}
	e = loaded(t, after, 0, state)
	e.SetFloor(20)
	var out engine.Output
	if meta, err := e.Loaded(); err == nil || meta.Transaction != 8 {
		t.Errorf("%+v, %v", meta, err)
	}
	if meta, err := e.Change(nil, &out); err != nil || meta.Transaction != 8 {
		t.Errorf("%+v, %v", meta, err)
	}
	e.Commit()
	if restore(t, after, 0, append(state, messages(&out)...)).Transaction() != 21 {
		t.Error("the changelog does not tell of the floor")
	}
}
