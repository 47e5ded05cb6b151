package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// message is a record that a transaction wrote.
type message struct {
	topic      engine.Topic
	key, value []byte
}

func messages(out *engine.Output) []message {
	var list []message
	for i := range out.Len() {
		topic, key, value := out.At(i)
		list = append(list, message{topic, bytes.Clone(key), bytes.Clone(value)})
	}
	return list
}

// compact keeps the last record of each key, as Kafka does; of tombstones all,
// some or none.
func compact(r *rand.Rand, changelog []message) []message {
	last := map[string]int{}
	for i, m := range changelog {
		last[string(m.key)] = i
	}
	clean := r.IntN(len(changelog) + 1) // Kafka leaves the head of the log as it is
	tombstones := r.IntN(2) == 0
	var list []message
	for i, m := range changelog {
		if i >= clean || last[string(m.key)] == i && (m.value != nil || tombstones) {
			list = append(list, m)
		}
	}
	return list
}

func restore(t *testing.T, f *view.File, partition int32, changelog []message) *engine.Engine {
	t.Helper()
	e := engine.New(f, "events", partition)
	for _, m := range changelog {
		if err := e.Load(m.key, m.value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Loaded(); err != nil {
		t.Fatal(err)
	}
	return e
}

// run feeds a log to engines in random batches and transactions, with random
// rollbacks and restarts, and returns the last engine and what was committed.
func run(t *testing.T, r *rand.Rand, f *view.File, log []oracle.Record) (*engine.Engine, []message) {
	t.Helper()
	partition := log[0].Partition
	e := engine.New(f, "events", partition)
	e.SetSource("topic-id", 4)
	var committed, changelog []message
	var out engine.Output
	for done := 0; done < len(log); {
		before := e.Dump()
		next := e.Next()
		end := done + r.IntN(min(len(log)-done, 60)+1)
		out.Reset()
		for from := done; from < end; {
			to := from + 1 + r.IntN(end-from)
			if err := e.Apply(batch(log[from:to]), &out); err != nil {
				t.Fatal(err)
			}
			from = to
		}
		flushed := r.IntN(2) == 0
		if flushed {
			e.Flush(&out)
		}
		if r.IntN(3) == 0 || !flushed {
			e.Rollback()
			if after := e.Dump(); after != before || e.Next() != next {
				t.Fatalf("rolled back to\n%s\nwant\n%s", after, before)
			}
			continue
		}
		e.Commit()
		done = end
		for _, m := range messages(&out) {
			committed = append(committed, m)
			if m.topic == engine.Changelog {
				changelog = append(changelog, m)
			}
		}
		if r.IntN(8) == 0 {
			want := e.Dump()
			e = restore(t, f, partition, compact(r, changelog))
			if got := e.Dump(); got != want {
				t.Fatalf("restored\n%s\nwant\n%s", got, want)
			}
		}
	}
	return e, committed
}

// neutral returns what must not depend on transactions: final rows, exclusions
// and dead letters, less the transaction numbers and ordinals, sorted: in what
// order a window's rows come is no promise.
func neutral(t *testing.T, list []message) []string {
	var lines []string
	for _, m := range list {
		switch m.topic {
		case engine.Results:
			x := decodeResult(t, m)
			if x.Stage != result.Final {
				continue
			}
			x.Place.Transaction, x.Place.Ordinal = 0, 0
			m.value = x.Append(nil)
		case engine.Excluded:
			x := decodeExclusion(t, m)
			x.Place.Transaction, x.Place.Ordinal = 0, 0
			m.value = x.Append(nil)
		case engine.DeadLetters:
			x := decodeDeadLetter(t, m)
			x.Place.Transaction, x.Place.Ordinal = 0, 0
			m.value = x.Append(nil)
		case engine.Changelog:
			continue
		}
		lines = append(lines, m.topic.String()+"\n"+string(m.key)+"\n"+string(m.value))
	}
	slices.Sort(lines)
	return lines
}

func decodeResult(t *testing.T, m message) (x result.Result) {
	t.Helper()
	if err := x.Decode(m.value); err != nil {
		t.Fatal(err)
	}
	return x
}

func decodeExclusion(t *testing.T, m message) (x result.Exclusion) {
	t.Helper()
	if err := x.Decode(m.value); err != nil {
		t.Fatal(err)
	}
	return x
}

func decodeDeadLetter(t *testing.T, m message) (x result.DeadLetter) {
	t.Helper()
	if err := x.Decode(m.value); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestAgainstOracle(t *testing.T) {
	rounds := 120
	if testing.Short() {
		rounds = 40
	}
	causes, stages := map[result.Cause]int{}, map[result.Stage]int{}
	var closed, open int
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			f := randomFile(t, r)
			log := randomLog(r, int32(r.IntN(5)), 1+r.IntN(600))
			want := oracle.Stream(f, log)

			whole := engine.New(f, "events", log[0].Partition)
			var out engine.Output
			if err := whole.Apply(batch(log), &out); err != nil {
				t.Fatal(err)
			}
			atOnce := messages(&out)
			compare(t, f, log, want, whole, atOnce)

			e, committed := run(t, r, f, log)
			compare(t, f, log, want, e, committed)
			if a, b := neutral(t, atOnce), neutral(t, committed); !slices.Equal(a, b) {
				t.Errorf("transactions changed the answer:\n%q\n%q", a, b)
			}
			checkPlaces(t, committed)
			checkStages(t, f, committed, stages)
			checkLast(t, f, want, committed)
			checkCauses(t, r, f, log, committed)
			checkChanges(t, committed)

			for _, x := range want.Excluded {
				causes[x.Cause]++
			}
			closed += len(want.Rows)
			open += len(want.Open)
		})
	}
	// A generator that never makes a thing happen tests nothing.
	for _, c := range []result.Cause{result.Late, result.Duplicate, result.Stale} {
		if causes[c] < rounds {
			t.Errorf("only %d exclusions are %v", causes[c], c)
		}
	}
	for s, least := range map[result.Stage]int{result.Early: rounds, result.OnTime: rounds, result.Retracted: rounds / 3} {
		if stages[s] < least {
			t.Errorf("only %d rows are %v", stages[s], s)
		}
	}
	if closed < 10*rounds || open < rounds {
		t.Errorf("only %d cells were closed, %d left open", closed, open)
	}
}

func compare(t *testing.T, f *view.File, log []oracle.Record, want *oracle.Answer, e *engine.Engine, list []message) {
	t.Helper()
	value := map[int64][]byte{}
	for _, r := range log {
		value[r.Offset] = r.Value
	}
	rows, closedAt := map[result.Cell]result.Agg{}, map[result.Cell]int64{}
	var excluded []oracle.Exclusion
	var dead []oracle.Dead
	for _, m := range list {
		switch m.topic {
		case engine.Results:
			x := decodeResult(t, m)
			if x.Stage != result.Final {
				continue
			}
			c := x.Cell()
			if _, twice := rows[c]; twice {
				t.Errorf("two final rows of %v", c)
			}
			rows[c], closedAt[c] = x.Agg, x.Place.Offset
			if !bytes.Equal(m.key, result.AppendKey(nil, x.View, x.Key, x.Span.Start, x.Place.Partition)) {
				t.Errorf("key %q of %v", m.key, c)
			}
		case engine.Excluded:
			x := decodeExclusion(t, m)
			excluded = append(excluded, oracle.Exclusion{
				Partition: x.Place.Partition, Offset: x.Place.Offset, Cause: x.Cause, View: string(x.View), Span: x.Span, Watermark: x.Watermark,
			})
			if !bytes.Equal(x.Event, value[x.Place.Offset]) || x.Place.Scheduled != 1000+x.Place.Offset {
				t.Errorf("exclusion with another event: %+v", x)
			}
		case engine.DeadLetters:
			x := decodeDeadLetter(t, m)
			dead = append(dead, oracle.Dead{Partition: x.Place.Partition, Offset: x.Place.Offset, Reason: event.Reason(x.Reason)})
			raw := value[x.Place.Offset]
			if x.Size != uint64(len(raw)) || !bytes.Equal(x.Raw, raw[:min(len(raw), result.MaxRaw)]) || x.Topic != "events" || m.key != nil {
				t.Errorf("dead letter with another message: %+v", x)
			}
		}
	}
	same(t, "final rows", rows, want.Rows)
	same(t, "closing offsets", closedAt, want.ClosedAt)
	same(t, "open cells", e.Open(), want.Open)
	same(t, "exclusions", excluded, want.Excluded)
	same(t, "dead letters", dead, want.Dead)
	n := want.Counts[log[0].Partition]
	s := e.Stats()
	got := oracle.Counts{
		Records: s.Records, Valid: s.Valid, Duplicate: s.Duplicates, Stale: s.Stale, DeadLetters: s.DeadLetters,
		Punctuation: s.Punctuation, Watermark: s.Watermark, Counted: map[string]uint64{}, Late: map[string]uint64{},
	}
	open := map[string]uint64{}
	for c, agg := range want.Open {
		open[c.View] += agg.Count
	}
	for _, v := range s.Views {
		if v.Counted > 0 {
			got.Counted[v.View] = v.Counted
		}
		if v.Late > 0 {
			got.Late[v.View] = v.Late
		}
		if v.Pending != open[v.View] {
			t.Errorf("%d placements of %s in open windows, want %d", v.Pending, v.View, open[v.View])
		}
	}
	same(t, "counts", got, *n)
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
