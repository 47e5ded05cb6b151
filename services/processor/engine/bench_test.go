package engine_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/event"
	"parallax.example/services/processor/engine"
)

const defaultViews = `
time: {believed: {count: 8, of: 64}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 1h}
  - {name: six-hours, window: {hopping: 6h, every: 1h}, lateness: 1h}
`

// flights is a partition like the flights: delays of minutes at 32 airports that
// have a flight in most hours, seven events in an hour's row, event times that
// rise with some disorder, one producer whose seqs go to four partitions.
type flights struct {
	r        *rand.Rand
	encode   func([]byte, *event.Event) []byte
	keys     [][]byte
	subjects [][]byte
	even     bool  // else a few keys are hubs
	step     int64 // between events
	disorder int64 // how far back an event's time may be
	n        int64
	event    event.Event
}

func newFlights(encode func([]byte, *event.Event) []byte) *flights {
	f := &flights{r: rand.New(rand.NewPCG(1, 2)), encode: encode, step: 20 * second, disorder: 2 * hour}
	for i := range 32 {
		f.keys = append(f.keys, fmt.Appendf(nil, "%c%c%c", 'A'+i/26, 'A'+i%26, 'X'))
	}
	for i := range 200 {
		f.subjects = append(f.subjects, fmt.Appendf(nil, "N%03dAA", i))
	}
	f.event = event.Event{HasID: true, Producer: []byte("flights-2001")}
	return f
}

// setKeys makes n keys, all as frequent.
func (f *flights) setKeys(n int) {
	f.even, f.keys, f.disorder = true, nil, 0
	for i := range n {
		f.keys = append(f.keys, fmt.Appendf(nil, "key-%08d", i))
	}
}

// warm is how many events fill the state.
func (f *flights) warm() int64 { return max(30_000, (f.disorder+2*hour)/f.step+2) }

// fill makes b the next n records.
func (f *flights) fill(b *engine.Batch, n int) {
	b.Offsets, b.Timestamps, b.Ends, b.Data = b.Offsets[:0], b.Timestamps[:0], b.Ends[:0], b.Data[:0]
	for range n {
		e := &f.event
		e.Seq = uint64(4*f.n) + f.r.Uint64N(4)
		u := f.r.Float64()
		if !f.even {
			u *= u // a few hubs, many small airports
		}
		e.Key = f.keys[int(float64(len(f.keys))*u)]
		e.Subject = f.subjects[f.r.IntN(len(f.subjects))]
		e.Time = 992_000_000*second + f.n*f.step
		if f.disorder > 0 {
			e.Time -= f.r.Int64N(f.r.Int64N(f.disorder) + 1)
		}
		e.Value = int64(f.r.IntN(90)) - 15
		b.Offsets = append(b.Offsets, f.n)
		b.Timestamps = append(b.Timestamps, 1_700_000_000_000+f.n)
		b.Data = f.encode(b.Data, e)
		b.Ends = append(b.Ends, len(b.Data))
		f.n++
	}
}

// batches are n batches of a thousand records.
func (f *flights) batches(n int) []*engine.Batch {
	list := make([]*engine.Batch, n)
	for i := range list {
		list[i] = &engine.Batch{}
		f.fill(list[i], 1000)
	}
	return list
}

var forms = []struct {
	name   string
	encode func([]byte, *event.Event) []byte
}{{"proto", event.AppendProto}, {"json", event.AppendJSON}}

// BenchmarkDecode is what Apply contains of the event package.
func BenchmarkDecode(b *testing.B) {
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) {
			batch := newFlights(form.encode).batches(1)[0]
			var r event.Record
			start := cpu()
			for i := range b.N {
				if err := r.Decode(batch.Value(i % 1000)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkApply is decode and aggregate of one event, with deduplication,
// lateness, final rows and exclusions.
func BenchmarkApply(b *testing.B) {
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) { benchmark(b, newFlights(form.encode), defaultViews, false) })
	}
}

// BenchmarkTransaction adds, per 10,000 events, Flush and Commit.
func BenchmarkTransaction(b *testing.B) {
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) { benchmark(b, newFlights(form.encode), defaultViews, true) })
	}
}

// BenchmarkView is one view of flights, with its transactions.
func BenchmarkView(b *testing.B) {
	for _, v := range []struct{ name, text string }{
		{"tumbling", "window: {tumbling: 1h}"},
		{"tumbling-final", "window: {tumbling: 1h}, emit: final"},
		{"hopping-1", "window: {hopping: 1h, every: 1h}, emit: final"},
		{"hopping-6", "window: {hopping: 6h, every: 1h}, emit: final"},
		{"hopping-24", "window: {hopping: 24h, every: 1h}, emit: final"},
		{"session", "window: {session: 30m}"},
		{"quantiles", "window: {tumbling: 1h}, aggregates: [p99]"},
		{"distinct", "window: {tumbling: 1h}, aggregates: [distinct]"},
		{"sketches", "window: {tumbling: 1h}, aggregates: [p50, p95, p99, distinct]"},
		{"sketches-hopping-24", "window: {hopping: 24h, every: 1h}, emit: final, aggregates: [p50, p95, p99, distinct]"},
	} {
		b.Run(v.name, func(b *testing.B) {
			benchmark(b, newFlights(event.AppendProto), "views: [{name: v, "+v.text+"}]", true)
		})
	}
}

// BenchmarkCells is the tumbling hour with so many open cells: of few keys over
// a long lateness, or of many keys, each event at another one.
func BenchmarkCells(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("hours-%d", n), func(b *testing.B) {
			f := newFlights(event.AppendProto)
			f.step, f.disorder = 100*second, int64(n/32)*hour
			benchmark(b, f, fmt.Sprintf("views: [{name: v, window: {tumbling: 1h}, lateness: %dh}]", n/32), true)
		})
		b.Run(fmt.Sprintf("keys-%d", n), func(b *testing.B) {
			f := newFlights(event.AppendProto)
			f.setKeys(n)
			f.step = hour / int64(5*n)
			benchmark(b, f, "views: [{name: v, window: {tumbling: 1h}, lateness: 0s, emit: final}]", true)
		})
	}
}

func benchmark(b *testing.B, f *flights, views string, flush bool) {
	e := engine.New(parse(b, views), "events", 0)
	var out engine.Output
	var finals int
	n := 0
	apply := func(batches []*engine.Batch) {
		for _, batch := range batches {
			before := out.Len()
			if err := e.Apply(batch, &out); err != nil {
				b.Fatal(err)
			}
			finals += out.Len() - before // and some exclusions
			if n++; n%10 == 0 {
				if flush {
					e.Flush(&out)
					e.Commit()
				} else {
					e.CommitUnflushed()
				}
				out.Reset()
			}
		}
	}
	for f.n < f.warm() {
		apply(f.batches(10))
	}
	n, finals = 0, 0
	counted := e.Stats().Views[0].Counted
	batches := f.batches(b.N/1000 + 1)
	b.ReportAllocs()
	b.ResetTimer()
	start := cpu()
	apply(batches)
	b.ReportMetric(float64(cpu()-start)/float64(len(batches)*1000), "cpu-ns/op")
	s := e.Stats()
	b.ReportMetric(float64(s.Views[0].Counted-counted)/float64(max(finals, 1)), "events/row")
	b.ReportMetric(float64(s.Views[0].Cells), "cells")
}

// cpu is the process's CPU time: on a busy machine the wall clock says little.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Apply allocates nothing per event once the state has its size.
func TestApplyAllocatesNothing(t *testing.T) {
	const days = "  - {name: days, window: {hopping: 24h, every: 1h}, lateness: 1h, emit: final}\n"
	for _, form := range forms {
		f := newFlights(form.encode)
		batches := f.batches(300)
		e := engine.New(parse(t, defaultViews+days), "events", 0)
		var out engine.Output
		i := 0
		step := func() {
			e.MustApply(batches[i], &out)
			if i++; i%10 == 0 {
				e.CommitUnflushed()
				out.Reset()
			}
		}
		for range 100 {
			step()
		}
		if n := testing.AllocsPerRun(190, step); n > 0.5 { // of a thousand events
			t.Errorf("%s: %v allocations per thousand events", form.name, n)
		}
	}
}
