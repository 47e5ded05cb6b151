package engine_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"parallax.example/internal/event"
	"parallax.example/internal/view"
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
	r      *rand.Rand
	encode func([]byte, *event.Event) []byte
	keys   [][]byte
	n      int64
	event  event.Event
}

func newFlights(encode func([]byte, *event.Event) []byte) *flights {
	f := &flights{r: rand.New(rand.NewPCG(1, 2)), encode: encode}
	for i := range 32 {
		f.keys = append(f.keys, fmt.Appendf(nil, "%c%c%c", 'A'+i/26, 'A'+i%26, 'X'))
	}
	f.event = event.Event{HasID: true, Producer: []byte("flights-2001"), Subject: []byte("DFW")}
	return f
}

// fill makes b the next n records.
func (f *flights) fill(b *engine.Batch, n int) {
	b.Offsets, b.Timestamps, b.Ends, b.Data = b.Offsets[:0], b.Timestamps[:0], b.Ends[:0], b.Data[:0]
	for range n {
		e := &f.event
		e.Seq = uint64(4*f.n) + f.r.Uint64N(4)
		u := f.r.Float64()
		e.Key = f.keys[int(float64(len(f.keys))*u*u)] // a few hubs, many small airports
		e.Time = 992_000_000*second + f.n*20*second - f.r.Int64N(f.r.Int64N(2*hour)+1)
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
		b.Run(form.name, func(b *testing.B) { benchmark(b, form.encode, defaultViews, false) })
	}
	b.Run("proto-tumbling-only", func(b *testing.B) {
		benchmark(b, event.AppendProto, "views: [{name: hourly, window: {tumbling: 1h}}]", false)
	})
}

// BenchmarkTransaction adds, per 10,000 events, Flush and Commit.
func BenchmarkTransaction(b *testing.B) {
	for _, form := range forms {
		b.Run(form.name, func(b *testing.B) { benchmark(b, form.encode, defaultViews, true) })
	}
}

func benchmark(b *testing.B, encode func([]byte, *event.Event) []byte, views string, flush bool) {
	batches := newFlights(encode).batches(b.N/1000 + 31)
	e := engine.New(parse(b, views), "events", 0)
	var out engine.Output
	var finals int
	step := func(i int, flush bool) {
		before := out.Len()
		e.Apply(batches[i], &out)
		finals += out.Len() - before // and some exclusions
		if i%10 == 9 {
			if flush {
				e.Flush(&out)
				e.Commit()
			} else {
				e.CommitUnflushed()
			}
			out.Reset()
		}
	}
	for i := range 30 {
		step(i, flush)
	}
	b.ReportAllocs()
	b.ResetTimer()
	start := cpu()
	for i := 30; (i-30)*1000 < b.N; i++ {
		step(i, flush)
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
	var placements uint64
	for _, v := range e.Stats().Views {
		placements += v.Counted
	}
	b.ReportMetric(float64(placements)/float64(finals), "events/row")
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
	for _, form := range forms {
		f := newFlights(form.encode)
		batches := f.batches(300)
		e := engine.New(parse(t, defaultViews), "events", 0)
		var out engine.Output
		i := 0
		step := func() {
			e.Apply(batches[i], &out)
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

// The state is bounded by what is open: keys that come and go leave nothing.
func TestMemoryIsUsedAgain(t *testing.T) {
	f := parse(t, "time: {believed: {count: 1, of: 1}}\nviews: [{name: a, window: {tumbling: 10s}, lateness: 0s}]")
	e := engine.New(f, "events", 0)
	var out engine.Output
	var n int64
	step := func() {
		var b engine.Batch
		for range 100 {
			v := event.AppendProto(nil, &event.Event{
				HasID: true, Producer: []byte("p"), Seq: uint64(n) * 1000, // the horizon passes
				Key: fmt.Appendf(nil, "key-%08d", n), Time: n * second,
			})
			b.Offsets, b.Timestamps = append(b.Offsets, n), append(b.Timestamps, n)
			b.Data = append(b.Data, v...)
			b.Ends = append(b.Ends, len(b.Data))
			n++
		}
		out.Reset()
		e.Apply(&b, &out)
		e.Flush(&out)
		e.Commit()
	}
	for range 50 {
		step()
	}
	cells, keys, blocks := e.Capacity()
	for range 500 {
		step()
	}
	c, k, bl := e.Capacity()
	if c > cells || k > keys || bl > blocks {
		t.Errorf("50,000 keys later: %d cells (%d before), %d keys (%d), %d blocks (%d)", c, cells, k, keys, bl, blocks)
	}
	if cells > 300 || blocks > 2*view.Horizon/4096 {
		t.Errorf("%d cells, %d blocks", cells, blocks)
	}
}

func TestCellSize(t *testing.T) {
	if engine.CellSize != 64 {
		t.Errorf("a cell has %d bytes, want one cache line", engine.CellSize)
	}
}
