package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// The record that would exceed a limit is the same however the log is cut into
// transactions, and the state before it can be had back.
func TestLimit(t *testing.T) {
	f := parse(t, "time: {believed: {count: 1, of: 1}}\nviews: [{name: a, window: {tumbling: 10s}, lateness: 0s}, {name: b, window: {session: 7s}, lateness: 0s}]")
	stopped := map[string]int{}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		var log []oracle.Record
		for i := range 200 {
			e := event.Event{Key: fmt.Appendf(nil, "k%d", r.IntN(12)), Time: int64(i) * second}
			if r.IntN(12) == 0 {
				e.HasID, e.Producer, e.Seq = true, fmt.Appendf(nil, "p%d", r.IntN(30)), uint64(i)
			}
			log = append(log, oracle.Record{Offset: int64(i), Value: event.AppendProto(nil, &e)})
		}
		limit := 4 + r.IntN(12)
		want := limited(t, f, log, limit, func() int { return len(log) })
		got := limited(t, f, log, limit, func() int { return 1 + r.IntN(20) })
		if want != nil {
			stopped[want.What]++
		}
		if (want == nil) != (got == nil) || want != nil && *want != *got {
			t.Errorf("limit %d: %v in one transaction, %v in many", limit, want, got)
		}
	}
	if stopped["keys"] < 5 || stopped["producers"] < 5 {
		t.Errorf("%v stopped", stopped)
	}
}

// limited applies a log in transactions of some sizes until a limit is exceeded.
func limited(t *testing.T, f *view.File, log []oracle.Record, limit int, size func() int) *engine.LimitError {
	t.Helper()
	e := engine.New(f, "events", 0)
	e.SetLimit(limit)
	for len(log) > 0 {
		before := e.Dump()
		n := min(size(), len(log))
		var out engine.Output
		var exceeded *engine.LimitError
		if err := e.Apply(batch(log[:n]), &out); errors.As(err, &exceeded) {
			e.Rollback()
			if e.Dump() != before {
				t.Error("rollback after a limit changed the state")
			}
			if exceeded.Limit != limit || !strings.Contains(err.Error(), fmt.Sprintf("at offset %d: there would be more than %d different", exceeded.Offset, limit)) {
				t.Errorf("%+v: %v", exceeded, err)
			}
			return exceeded
		}
		e.Flush(&out)
		e.Commit()
		if s := e.Stats(); s.Keys > limit || s.Producers > limit {
			t.Errorf("%d keys and %d producers, the limit is %d", s.Keys, s.Producers, limit)
		}
		log = log[n:]
	}
	return nil
}

// A state that is above a limit goes on, but does not grow.
func TestLimitBelowTheState(t *testing.T) {
	f := parse(t, twoViews)
	e := engine.New(f, "events", 0)
	transaction(e, 0, keyed("a", 3), keyed("b", 3), keyed("c", 3))
	e.SetLimit(2)
	transaction(e, 3, keyed("a", 4), keyed("b", 5), event.AppendProto(nil, &event.Event{HasID: true, Producer: []byte("p"), Seq: 1, Key: []byte("c"), Time: 5 * second}))
	var out engine.Output
	if err := e.Apply(batch([]oracle.Record{{Offset: 6, Value: keyed("d", 3)}}), &out); err == nil {
		t.Error("a key more was taken in")
	}
}

// A silent engine tells of its views only.
func TestSilent(t *testing.T) {
	e := engine.New(parse(t, twoViews), "events", 0)
	e.SetSilent(true)
	late := value(1<<21+2, 3, 1)
	list := transaction(e, 0, value(1, 3, 1), value(1, 3, 1), []byte("?"), value(1<<21, 60, 1), value(1<<21+1, 60, 1), value(2, 60, 1), late)
	var cells int
	for _, m := range list {
		switch m.topic {
		case engine.DeadLetters:
			t.Errorf("dead letter %q", m.value)
		case engine.Excluded:
			if x := decodeExclusion(t, m); string(x.View) == "" {
				t.Errorf("exclusion of no view: %+v", x)
			}
			cells++
		case engine.Results, engine.Changelog:
		}
	}
	s := e.Stats()
	if cells != 3 || s.Duplicates != 1 || s.Stale != 1 || s.DeadLetters != 1 {
		t.Errorf("%d late placements, want 3; %+v", cells, s)
	}
}
