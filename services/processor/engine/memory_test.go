package engine_test

import (
	"fmt"
	"runtime"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// million applies a million events to as many cells of so many keys, in
// transactions of ten thousand.
func million(t *testing.T, e *engine.Engine, keys int) {
	t.Helper()
	var out engine.Output
	var b engine.Batch
	for n := range 1_000_000 {
		b.Data = event.AppendProto(b.Data, &event.Event{Key: fmt.Appendf(nil, "key-%08d", n%keys), Time: int64(n/keys) * hour, Value: 7})
		b.Offsets, b.Timestamps, b.Ends = append(b.Offsets, int64(n)), append(b.Timestamps, 0), append(b.Ends, len(b.Data))
		if len(b.Ends) == 10_000 {
			if err := e.Apply(&b, &out); err != nil {
				t.Fatal(err)
			}
			e.Flush(&out)
			e.Commit()
			out.Reset()
			b = engine.Batch{Offsets: b.Offsets[:0], Timestamps: b.Timestamps[:0], Ends: b.Ends[:0], Data: b.Data[:0]}
		}
	}
}

// A million open cells take 300 MiB at most with all that is around them, and
// the metric says about so much.
func TestMemoryOfAMillionCells(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for _, keys := range []int{1_000_000, 10_000} {
		f := parse(t, "time: {believed: {count: 1, of: 1}, lag: 3000d}\nviews: [{name: a, window: {hopping: 6h, every: 1h}, emit: final}]")
		before := heap()
		e := engine.New(f, "events", 0)
		million(t, e, keys)
		took := heap() - before
		s := e.Stats()
		if s.Views[0].Cells != 1_000_000 || s.Keys != keys {
			t.Fatalf("%+v", s)
		}
		t.Logf("%d keys: %d MiB, %d by the metric", keys, took>>20, s.Bytes>>20)
		if took > 300<<20 {
			t.Errorf("%d keys: a million cells take %d MiB", keys, took>>20)
		}
		if s.Bytes < took/2 || s.Bytes > 2*took {
			t.Errorf("%d keys: %d MiB by the metric, but %d", keys, s.Bytes>>20, took>>20)
		}
		runtime.KeepAlive(e)
	}
}

// The sums of the keys in large windows are counted with the rest, and leave with
// the keys: what is kept for the next ones is no more than what is in use.
func TestMemoryOfRuns(t *testing.T) {
	const keys, panes = 2_000, 36
	f := parse(t, "time: {believed: {count: 1, of: 1}}\nviews: [{name: a, window: {hopping: 24h, every: 1h}, lateness: 0s, emit: final, aggregates: [p50, distinct]}]")
	before := heap()
	e := engine.New(f, "events", 0)
	var offset int64
	apply := func(hour64 int64, keys int) {
		var out engine.Output
		var b engine.Batch
		for k := range keys {
			for i := range 10 {
				b.Data = event.AppendProto(b.Data, &event.Event{Key: fmt.Appendf(nil, "key-%08d", k), Subject: fmt.Appendf(nil, "s%d", offset), Time: hour64*hour + int64(i), Value: offset % 1000})
				b.Offsets, b.Timestamps, b.Ends = append(b.Offsets, offset), append(b.Timestamps, 0), append(b.Ends, len(b.Data))
				offset++
			}
		}
		e.MustApply(&b, &out)
		e.Flush(&out)
		e.Commit()
	}
	for h := range int64(panes) {
		apply(h, keys)
	}
	full, all, runs := heap(), e.Stats().Bytes, e.RunBytes(0)
	took := full - before
	t.Logf("%d MiB, %d by the metric, %d of them the sums", took>>20, all>>20, runs>>20)
	if all < took/2 || all > 2*took {
		t.Errorf("%d MiB by the metric, but %d", all>>20, took>>20)
	}
	if runs < 4<<20 {
		t.Fatalf("there are %d bytes of sums", runs)
	}
	for h := range int64(3) { // one key goes on alone
		apply(panes+30+h, 1)
	}
	left, given := e.RunBytes(0), int64(full)-int64(heap())
	t.Logf("left: %d bytes of sums; %d MiB were given back", left, given>>20)
	if left > runs/50 || given < int64(runs/2) {
		t.Errorf("of %d bytes of sums %d are left, and %d were given back", runs, left, given)
	}
	e.Dump() // what is counted is there
	runtime.KeepAlive(e)
}

// A key that had very many cells in a window, and has few, does not keep the sums
// of the many.
func TestMemoryOfARunThatShrinks(t *testing.T) {
	f := parse(t, "time: {believed: {count: 1, of: 1}}\nviews: [{name: a, window: {hopping: 1000s, every: 1s}, lateness: 0s, emit: final}]")
	e := engine.New(f, "events", 0)
	var offset int64
	apply := func(from, to, step int64) {
		var out engine.Output
		var b engine.Batch
		for at := from; at < to; at += step {
			b.Data = event.AppendProto(b.Data, &event.Event{Key: []byte("k"), Time: at * second})
			b.Offsets, b.Timestamps, b.Ends = append(b.Offsets, offset), append(b.Timestamps, 0), append(b.Ends, len(b.Data))
			offset++
		}
		e.MustApply(&b, &out)
		e.Flush(&out)
		e.Commit()
	}
	apply(0, 2000, 1)
	many := e.RunBytes(0)
	apply(2000, 6000, 100)
	few := e.RunBytes(0)
	t.Logf("%d bytes, then %d", many, few)
	if few == 0 || few > many/3 {
		t.Errorf("of %d bytes of sums %d are left", many, few)
	}
	e.Dump()
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
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
		e.MustApply(&b, &out)
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
