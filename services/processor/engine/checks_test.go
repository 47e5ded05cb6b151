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

// checkStages demands early*, on-time*, final, in this order, and counts that
// never fall.
func checkStages(t *testing.T, committed []message) {
	t.Helper()
	last := map[result.Cell]result.Result{}
	for _, m := range committed {
		if m.topic != engine.Results {
			continue
		}
		x := decodeResult(t, m)
		l := last[x.Cell()]
		ok := x.Agg.Count >= l.Agg.Count && x.Stage >= l.Stage
		switch x.Stage {
		case result.Early:
			ok = ok && x.Span.End > x.Watermark
		case result.OnTime:
			ok = ok && x.Span.End <= x.Watermark
		case result.Final:
			ok = ok && l.Stage != result.Final
		}
		if !ok {
			t.Errorf("%+v after %+v", x, l)
		}
		last[x.Cell()] = x
	}
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
		if x.Stage == result.Final {
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
