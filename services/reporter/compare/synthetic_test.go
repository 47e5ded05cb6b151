package compare_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

const questions = `
time:
  believed: {count: 2, of: 4}
  lag: 0s
  punctuation: [generator]
views:
  - name: hourly
    window: {tumbling: 1h}
    lateness: 10m
    aggregates: [count, sum, min, max, mean, p50, p95, p99, distinct]
  - name: overlapping
    window: {hopping: 2h, every: 1h}
    lateness: 0s
    aggregates: [count, sum, mean, p50, distinct]
  - name: busy
    window: {session: 30m}
    lateness: 5m
    aggregates: [count, p99, distinct]
`

const minute = int64(60e6)

// world is a log, the ledger of who sent it, and how the two came about.
type world struct {
	views      *view.File
	partitions int32
	log        []oracle.Record
	ledger     []compare.Entry
	next       map[int32]int64 // offset by partition
	seq        uint64
}

func newWorld(t testing.TB) *world {
	f, err := view.Parse("views.yaml", []byte(questions))
	if err != nil {
		t.Fatal(err)
	}
	return &world{views: f, partitions: 3, next: map[int32]int64{}}
}

// put appends bytes to the log of a partition.
func (w *world) put(p int32, value []byte) int64 {
	w.next[p] += 1 + int64(len(w.log)%7/6) // now and then a gap, as control records leave
	o := w.next[p]
	w.log = append(w.log, oracle.Record{Partition: p, Offset: o, Value: value})
	return o
}

func wire(e event.Event) []byte { return event.AppendProto(nil, &e) }

func (w *world) event(key string, time, value int64) []byte {
	w.seq++
	return wire(event.Event{Producer: []byte("gen"), Seq: w.seq, HasID: true, Key: []byte(key), Subject: fmt.Appendf(nil, "s-%d", w.seq%17), Time: time, Value: value})
}

func (w *world) send(p int32, kind compare.Kind, value []byte) {
	o := w.put(p, value)
	w.ledger = append(w.ledger, compare.Entry{Kind: kind, Outcome: compare.OK, Partition: p, Offset: o, Value: value})
}

// punctuate closes everything in every partition.
func (w *world) punctuate() {
	p := event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark}
	for i := range w.partitions {
		w.send(i, compare.Punctuation, event.AppendPunctuationProto(nil, &p))
	}
}

// random is a world with n events of every kind.
func random(t testing.TB, seed uint64, n int) *world {
	w := newWorld(t)
	w.random(seed, n)
	return w
}

func (w *world) random(seed uint64, n int) {
	r := rand.New(rand.NewPCG(seed, 1))
	now := int64(1_000_000) * minute
	var sent [][]byte
	for i := range n {
		now += r.Int64N(20 * minute)
		k := r.IntN(5)
		p := int32(k) % w.partitions
		at := now
		if r.IntN(5) == 0 {
			at -= r.Int64N(400 * minute) // probably late
		}
		value := r.Int64N(1000) - 200
		key := fmt.Sprintf("key-%d", k)
		switch r.IntN(14) {
		case 0: // a copy
			if len(sent) > 0 {
				b := sent[r.IntN(len(sent))]
				w.send(partitionOf(b, w.partitions), compare.Copied, b)
			}
		case 1: // bytes that are no event
			w.send(p, compare.Spoiled, []byte("no event"))
		case 2: // somebody else, with and without an id
			e := event.Event{Key: []byte(key), Time: at, Value: value}
			if r.IntN(2) == 0 {
				e.Producer, e.Seq, e.HasID = []byte("someone"), uint64(i), true
			}
			w.put(int32(r.IntN(int(w.partitions))), wire(e))
		case 3: // a copy in another partition
			b := w.event(key, at, value)
			w.send(p, compare.Sent, b)
			w.send((p+1)%w.partitions, compare.Copied, b)
		case 4: // outcome never told, and found
			b := w.event(key, at, value)
			w.put(p, b)
			w.ledger = append(w.ledger, compare.Entry{Kind: compare.Sent, Partition: p, Value: b})
		case 5: // outcome never told, and not there
			w.ledger = append(w.ledger, compare.Entry{Kind: compare.Sent, Outcome: compare.Failed, Partition: p, Value: w.event(key, at, value)})
		default:
			b := w.event(key, at, value)
			w.send(p, compare.Sent, b)
			sent = append(sent, b)
		}
		if i == n/2 { // far behind the newest: stale
			old := w.event(key, at, value)
			w.seq += 2 * view.Horizon
			w.send(p, compare.Sent, w.event(key, at, value))
			w.send(p, compare.Sent, old)
		}
	}
}

// partitionOf is where random puts the event's key.
func partitionOf(b []byte, n int32) int32 {
	var r event.Record
	if err := r.Decode(b); err != nil {
		panic(err)
	}
	var k int32
	if _, err := fmt.Sscanf(string(r.Event.Key), "key-%d", &k); err != nil {
		panic(err)
	}
	return k % n
}

// input lets the oracle play the stream, A and B.
func (w *world) input() *compare.Input {
	stream, all := oracle.Stream(w.views, w.log), oracle.All(w.views, w.log)
	in := &compare.Input{Views: w.views, Ledger: w.ledger}
	for p := range w.partitions {
		c := stream.Counts[p]
		if c == nil {
			c = &oracle.Counts{Watermark: oracle.NoWatermark}
		}
		in.Cut = append(in.Cut, report.Partition{Partition: p, End: w.next[p] + 1, Watermark: report.Time(c.Watermark), Records: report.Records{
			Total: c.Records, Valid: c.Valid, Duplicate: c.Duplicate, Stale: c.Stale, DeadLetter: c.DeadLetters, Punctuation: c.Punctuation,
		}})
	}
	events := map[[2]int64]compare.Event{}
	for _, rec := range w.log {
		var r event.Record
		if r.Decode(rec.Value) != nil {
			continue
		}
		if r.Kind == event.KindPunctuation {
			in.Advances = append(in.Advances, compare.Advance{Partition: rec.Partition, Offset: rec.Offset, Watermark: r.Punctuation.Watermark})
			continue
		}
		e := compare.Event{Partition: rec.Partition, Offset: rec.Offset, Producer: string(r.Event.Producer), Seq: r.Event.Seq,
			HasID: r.Event.HasID, Key: string(r.Event.Key), Subject: string(r.Event.Subject), Time: r.Event.Time, Value: r.Event.Value}
		in.Log = append(in.Log, e)
		events[[2]int64{int64(rec.Partition), rec.Offset}] = e
	}
	in.Stream.Final = map[result.Cell]compare.Final{}
	for c, row := range stream.Rows {
		in.Stream.Final[c] = compare.Final{Agg: row, Offset: stream.ClosedAt[c], Watermark: event.MaxWatermark}
	}
	for _, x := range stream.Excluded {
		in.Stream.Exclusions = append(in.Stream.Exclusions, compare.Exclusion{
			Event: events[[2]int64{int64(x.Partition), x.Offset}], Cause: x.Cause, View: x.View, Span: x.Span, Watermark: x.Watermark})
		in.Batch.Judgements = append(in.Batch.Judgements, compare.Judgement{
			Partition: x.Partition, Offset: x.Offset, Cause: x.Cause, View: x.View, Span: x.Span})
	}
	for _, d := range stream.Dead {
		in.Dead = append(in.Dead, compare.Dead{Partition: d.Partition, Offset: d.Offset, Reason: string(d.Reason)})
	}
	in.Stream.Dead = append(in.Stream.Dead, in.Dead...)
	in.Batch.A, in.Batch.B = batchRows(stream), batchRows(all)
	return in
}

func batchRows(a *oracle.Answer) map[result.Cell]compare.Row {
	rows := map[result.Cell]compare.Row{}
	for c, row := range a.Rows {
		rows[c] = compare.Row{Agg: row, Closed: true}
	}
	for c, row := range a.Open {
		rows[c] = compare.Row{Agg: row}
	}
	return rows
}

func run(t testing.TB, in *compare.Input) (*report.Report, []report.Cell) {
	t.Helper()
	var r report.Report
	cells, err := compare.Run(in, &r)
	if err != nil {
		t.Fatal(err)
	}
	return &r, cells
}
