package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

const second = 1_000_000

func parse(t testing.TB, text string) *view.File {
	t.Helper()
	f, err := view.Parse("views.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// randomFile asks one to four questions of all kinds under random rules of time.
func randomFile(t testing.TB, r *rand.Rand) *view.File {
	return parse(t, randomTime(r)+randomViews(r, "view", 1+r.IntN(4)))
}

func randomTime(r *rand.Rand) string {
	of := 1 + r.IntN(12)
	return fmt.Sprintf("time: {believed: {count: %d, of: %d}, lag: %ds, punctuation: [generator]}\nviews:\n", 1+r.IntN(of), of, r.IntN(3)*r.IntN(20))
}

func randomViews(r *rand.Rand, name string, n int) string {
	var b strings.Builder
	for i := range n {
		window := fmt.Sprintf("tumbling: %ds", 1+r.IntN(60))
		switch r.IntN(3) {
		case 0:
			hop := 1 + r.IntN(20)
			window = fmt.Sprintf("hopping: %ds, every: %ds", hop*(1+r.IntN(1+r.IntN(40))), hop)
		case 1:
			window = fmt.Sprintf("session: %ds", 1+r.IntN(60))
		}
		emit := []string{"updates", "updates", "final"}[r.IntN(3)]
		aggregates := []string{"count", "p50", "distinct", "sum, p99, distinct"}[r.IntN(4)]
		fmt.Fprintf(&b, "  - {name: %c-%s, window: {%s}, lateness: %ds, emit: %s, aggregates: [%s]}\n", // not in the order of the file
			'z'-i, name, window, r.IntN(2)*r.IntN(90), emit, aggregates)
	}
	return b.String()
}

// randomLog is a partition with everything in it that may happen.
func randomLog(r *rand.Rand, partition int32, n int) []oracle.Record {
	var log []oracle.Record
	var seqs [3]uint64
	clock, grain := int64(992_000_000*second), int64(1)
	if r.IntN(2) == 0 {
		grain = second // so that ends and starts coincide
	}
	if r.IntN(4) == 0 {
		clock = 0 // windows before the epoch
	}
	offset := int64(r.IntN(3))
	for range n {
		clock += int64(r.IntN(4 * second))
		log = append(log, oracle.Record{Partition: partition, Offset: offset, Value: randomValue(r, clock, grain, &seqs, log)})
		offset += 1 + int64(r.IntN(10)/8) // control records and aborted transactions leave gaps
	}
	return log
}

func randomValue(r *rand.Rand, clock, grain int64, seqs *[3]uint64, log []oracle.Record) []byte {
	switch r.IntN(40) {
	case 0:
		return nil
	case 1:
		b := make([]byte, r.IntN(5000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	case 2:
		return []byte(`{"key":"k","event_time":"yesterday","value":1}`)
	case 3, 4:
		p := &event.Punctuation{Sender: []byte([]string{"generator", "someone"}[r.IntN(2)]), Watermark: max(0, clock-int64(r.IntN(60*second)))}
		if r.IntN(2) == 0 {
			return event.AppendPunctuationJSON(nil, p)
		}
		return event.AppendPunctuationProto(nil, p)
	case 5, 6, 7:
		if len(log) > 0 {
			return log[r.IntN(len(log))].Value // a duplicate, by chance of something else than an event
		}
	}
	key := r.IntN(1 + r.IntN(30))
	e := &event.Event{Key: fmt.Appendf(nil, "key-%0*d", key%3*20, key), Subject: fmt.Appendf(nil, "subject-%d", r.IntN(20)), Value: int64(r.IntN(200)) - 50, Time: clock}
	switch r.IntN(30) {
	case 0, 1, 2, 3, 4, 5:
		e.Time -= int64(r.IntN(200 * second)) // late or not
	case 6:
		e.Time = event.EndTime - 1 - r.Int64N(1<<40) // wild
	case 7:
		e.Time = r.Int64N(1 << 30)
	case 8:
		e.Time += int64(r.IntN(600 * second)) // ahead
	}
	e.Time = max(e.Time, 0) / grain * grain
	if r.IntN(20) == 0 {
		e.Value = []int64{math.MaxInt64, math.MinInt64}[r.IntN(2)]
	}
	if r.IntN(10) > 0 {
		p := r.IntN(len(seqs))
		e.HasID, e.Producer = true, fmt.Appendf(nil, "producer-%d", p)
		switch r.IntN(30) {
		case 0:
			seqs[p] += r.Uint64N(1 << 21) // blocks fall below the horizon
		case 1, 2:
			e.Seq = r.Uint64N(1 << 21)
		case 3:
			e.Seq = seqs[p] - min(seqs[p], view.Horizon+r.Uint64N(3)-1)
		}
		if e.Seq == 0 {
			seqs[p]++
			e.Seq = seqs[p]
		}
	}
	if r.IntN(3) == 0 {
		return event.AppendJSON(nil, e)
	}
	return event.AppendProto(nil, e)
}

func batch(log []oracle.Record) *engine.Batch {
	b := &engine.Batch{}
	for _, r := range log {
		b.Offsets = append(b.Offsets, r.Offset)
		b.Timestamps = append(b.Timestamps, 1000+r.Offset)
		b.Data = append(b.Data, r.Value...)
		b.Ends = append(b.Ends, len(b.Data))
	}
	return b
}
