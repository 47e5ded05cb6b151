package engine_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// checkPlaces demands that a reader can tell a transaction that lacks a record.
func checkPlaces(t *testing.T, committed []message) {
	t.Helper()
	var transaction uint64 = 1
	var records, changes uint32
	for _, m := range committed {
		var p result.Place
		switch m.topic {
		case engine.Results:
			p = decodeResult(t, m).Place
		case engine.Excluded:
			p = decodeExclusion(t, m).Place
		case engine.DeadLetters:
			p = decodeDeadLetter(t, m).Place
		case engine.Changelog:
			meta, ok := engine.DecodeMeta(m.key, m.value)
			if !ok {
				changes++
				continue
			}
			if meta.Transaction != transaction || meta.Records != records || meta.Changes != changes || meta.TopicID != "topic-id" || meta.Partitions != 4 {
				t.Errorf("meta %+v ends transaction %d with %d records and %d changes", meta, transaction, records, changes)
			}
			transaction, records, changes = transaction+1, 0, 0
			continue
		}
		if p.Transaction != transaction || p.Ordinal != records {
			t.Errorf("place %+v, want transaction %d and ordinal %d", p, transaction, records)
		}
		records++
	}
	if records != 0 {
		t.Error("the last transaction has no meta record")
	}
}

// checkStages demands early*, on-time*, final, in this order, the first two once
// per transaction at most, and counts and ends that never fall; of a view that
// emits final rows only, those. A session that has ended may grow and be early
// again. A session's start that was told of in an earlier
// transaction may be retracted instead, once, and never comes back.
func checkStages(t *testing.T, f *view.File, committed []message, stages map[result.Stage]int) {
	t.Helper()
	defs := map[string]*view.View{}
	for i := range f.Views {
		defs[f.Views[i].ID()] = &f.Views[i]
	}
	last := map[string]result.Result{}
	for _, m := range committed {
		if m.topic != engine.Results {
			continue
		}
		x := decodeResult(t, m)
		l := last[string(m.key)]
		def := defs[string(x.View)]
		stages[x.Stage]++
		ok := (x.Stage >= l.Stage || l.Stage == result.OnTime && x.Span.End > l.Span.End) && (x.Stage == result.Final || !def.FinalOnly)
		if x.Stage == result.Retracted {
			ok = ok && (l.Stage == result.Early || l.Stage == result.OnTime) && l.Span == x.Span && x.Place.Transaction > l.Place.Transaction
		} else {
			ok = ok && x.Agg.Count >= l.Agg.Count && x.Span.End >= l.Span.End
		}
		switch x.Stage {
		case result.Early:
			ok = ok && x.Span.End > x.Watermark && x.Place.Transaction > l.Place.Transaction
		case result.OnTime:
			ok = ok && x.Span.End <= x.Watermark && x.Place.Transaction > l.Place.Transaction
		case result.Final, result.Retracted:
			ok = ok && l.Stage != x.Stage
		}
		if !ok {
			t.Errorf("%+v after %+v", x, l)
		}
		last[string(m.key)] = x
	}
}

// checkLast demands that the last row of each open window is that of the oracle,
// and that every other window's last row is final or retracted.
func checkLast(t *testing.T, f *view.File, want *oracle.Answer, committed []message) {
	t.Helper()
	final := map[string]bool{}
	for i := range f.Views {
		final[f.Views[i].ID()] = f.Views[i].FinalOnly
	}
	last := map[string]result.Result{}
	for _, m := range committed {
		if m.topic == engine.Results {
			last[string(m.key)] = decodeResult(t, m)
		}
	}
	got, open := map[result.Cell]result.Agg{}, map[result.Cell]result.Agg{}
	for _, x := range last {
		if x.Stage < result.Final {
			got[x.Cell()] = x.Agg
		}
	}
	for c, agg := range want.Open {
		if !final[c.View] {
			open[c] = agg
		}
	}
	same(t, "last rows of open windows", got, open)
}

// checkCauses demands of a row that is not final that it names the last record
// that entered its cell, and of some of them that they say what the oracle says
// of the log up to that record.
func checkCauses(t *testing.T, r *rand.Rand, f *view.File, log []oracle.Record, committed []message) {
	t.Helper()
	end := map[int64]int{}
	for i, l := range log {
		end[l.Offset] = i + 1
	}
	for _, m := range committed {
		if m.topic != engine.Results {
			continue
		}
		x := decodeResult(t, m)
		if x.Place.Scheduled != 1000+x.Place.Offset {
			t.Errorf("scheduled %d at offset %d", x.Place.Scheduled, x.Place.Offset)
		}
		if x.Stage >= result.Final {
			continue
		}
		prefix := log[:end[x.Place.Offset]]
		if len(prefix) == 0 {
			t.Errorf("%+v names no record of the log", x)
			continue
		}
		var cause event.Record
		if err := cause.Decode(prefix[len(prefix)-1].Value); err != nil || !bytes.Equal(cause.Event.Key, x.Key) ||
			cause.Event.Time < x.Span.Start || cause.Event.Time >= x.Span.End {
			t.Errorf("%+v was not caused by %+v", x, cause)
		}
		if r.IntN(200) == 0 {
			a := oracle.Stream(f, prefix)
			agg, open := a.Open[x.Cell()]
			if !open {
				agg = a.Rows[x.Cell()]
			}
			same(t, "row of a prefix", x.Agg, agg)
		}
	}
}

// checkChanges demands that the changelog holds changes only: no value that was
// there before, no tombstone of what was not.
func checkChanges(t *testing.T, committed []message) {
	t.Helper()
	state := map[string][]byte{}
	for _, m := range committed {
		if m.topic != engine.Changelog {
			continue
		}
		old := state[string(m.key)]
		if bytes.Equal(old, m.value) {
			t.Errorf("the changelog repeats %q = %q", m.key, m.value)
		}
		state[string(m.key)] = m.value
	}
}
