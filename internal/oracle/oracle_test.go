package oracle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

const second = 1_000_000

func file(t *testing.T, text string) *view.File {
	t.Helper()
	f, err := view.Parse("views.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func log(values ...[]byte) []oracle.Record {
	var records []oracle.Record
	for i, v := range values {
		records = append(records, oracle.Record{Offset: int64(2 * i), Value: v})
	}
	return records
}

func ev(seq uint64, at, value int64) []byte {
	return event.AppendProto(nil, &event.Event{Producer: []byte("p"), Seq: seq, HasID: true, Key: []byte("k"), Time: at * second, Value: value})
}

func agg(values ...int64) result.Agg {
	var a result.Agg
	for _, v := range values {
		a.Add(v)
	}
	return a
}

func cell(v *view.View, start, end int64) result.Cell {
	return result.Cell{View: v.ID(), Key: "k", Span: view.Span{Start: start * second, End: end * second}}
}

// Every line of this log was judged by hand.
func TestByHand(t *testing.T) {
	f := file(t, `
time: {believed: {count: 2, of: 3}, punctuation: [me]}
views:
  - {name: ten, window: {tumbling: 10s}, lateness: 5s}
  - {name: hop, window: {hopping: 20s, every: 10s}, lateness: 0s}
`)
	ten, hop := &f.Views[0], &f.Views[1]
	records := log(
		ev(1, 3, 1),        // 0
		ev(2, 14, 2),       // 2: two of the last have reached 3
		ev(2, 99, 9),       // 4: duplicate, whatever it says
		ev(1<<20+3, 15, 4), // 6: two have reached 14
		ev(3, 16, 8),       // 8: exactly at the horizon; two have reached 15: [0, 10)+5 s closes
		ev(4, 9, 16),       // 10: late in ten [0, 10), counted in hop [-10, 10) no: 10 ≤ 15 is closed; hop [0, 20) open
		[]byte("?"),        // 12: dead
		event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("you"), Watermark: 50 * second}), // 14: dead
		ev(5, 17, 32),      // 16: of 16, 9, 17 two have reached 16
		ev(1<<21+99, 0, 1), // 18: late everywhere but in no window twice; makes 5 stale
		ev(5, 17, 32),      // 20: stale for the stream, a duplicate for the batch
		event.AppendPunctuationJSON(nil, &event.Punctuation{Sender: []byte("me"), Watermark: 25 * second}), // 22
	)
	late := func(offset int64, v *view.View, start, end, watermark int64) oracle.Exclusion {
		return oracle.Exclusion{Offset: offset, Cause: result.Late, View: v.ID(), Span: cell(v, start, end).Span, Watermark: watermark * second}
	}
	want := &oracle.Answer{
		Rows: map[result.Cell]result.Agg{
			cell(ten, 0, 10):   agg(1),
			cell(ten, 10, 20):  agg(2, 4, 8, 32),
			cell(hop, -10, 10): agg(1),
			cell(hop, 0, 20):   agg(1, 2, 4, 8, 16, 32),
		},
		Open:     map[result.Cell]result.Agg{cell(hop, 10, 30): agg(2, 4, 8, 32)},
		ClosedAt: map[result.Cell]int64{cell(ten, 0, 10): 8, cell(ten, 10, 20): 22, cell(hop, -10, 10): 6, cell(hop, 0, 20): 22},
		Excluded: []oracle.Exclusion{
			{Offset: 4, Cause: result.Duplicate, Watermark: 3 * second},
			late(10, hop, -10, 10, 15), late(10, ten, 0, 10, 15),
			late(18, hop, -10, 10, 16), late(18, ten, 0, 10, 16),
			{Offset: 20, Cause: result.Stale, Watermark: 16 * second},
		},
		Dead: []oracle.Dead{{Offset: 12, Reason: event.UnknownForm}, {Offset: 14, Reason: event.Unauthorized}},
		Counts: map[int32]*oracle.Counts{0: {
			Records: 12, Valid: 7, Duplicate: 1, Stale: 1, DeadLetters: 2, Punctuation: 1,
			Counted:   map[string]uint64{ten.ID(): 5, hop.ID(): 12},
			Late:      map[string]uint64{ten.ID(): 2, hop.ID(): 2},
			Watermark: 25 * second,
		}},
	}
	// 18 has time 0: windows [-10, 10) and [0, 20) of hop; the second is open.
	want.Rows[cell(hop, 0, 20)] = agg(1, 2, 4, 8, 16, 32, 1)
	if diff := cmp.Diff(want, oracle.Stream(f, records)); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}

	all := oracle.All(f, records)
	rows := map[result.Cell]result.Agg{
		cell(ten, 0, 10):   agg(1, 16, 1),
		cell(ten, 10, 20):  agg(2, 4, 8, 32),
		cell(hop, -10, 10): agg(1, 16, 1),
		cell(hop, 0, 20):   agg(1, 2, 4, 8, 16, 32, 1),
	}
	if diff := cmp.Diff(rows, all.Rows); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if n := all.Counts[0]; n.Valid != 7 || n.Duplicate != 2 || n.Stale != 0 || len(n.Late) != 0 {
		t.Errorf("all counts %+v", n)
	}
}

func TestPartitionsDoNotMeet(t *testing.T) {
	f := file(t, "time: {believed: {count: 1, of: 1}}\nviews: [{name: a, window: {tumbling: 10s}, lateness: 0s}]")
	records := []oracle.Record{
		{Partition: 0, Offset: 0, Value: ev(1, 5, 1)},
		{Partition: 1, Offset: 7, Value: ev(1, 25, 1)},
		{Partition: 0, Offset: 1, Value: ev(2, 6, 1)},
	}
	a := oracle.Stream(f, records)
	if len(a.Rows) != 0 || len(a.Excluded) != 0 || len(a.Open) != 2 {
		t.Errorf("a partition's answer depends on another: %+v", a)
	}
}

// Sessions, judged by hand: gap 10 s, lateness 5 s, every event believed at once.
func TestSessionsByHand(t *testing.T) {
	f := file(t, `
time: {believed: {count: 1, of: 1}}
views: [{name: s, window: {session: 10s}, lateness: 5s}]
`)
	v := &f.Views[0]
	records := log(
		ev(1, 100, 1),     // 0: [100, 110)
		ev(2, 110, 2),     // 2: [110, 120) only touches
		ev(3, 105, 4),     // 4: joins both: [100, 120)
		ev(4, 98, 8),      // 6: moves the start: [98, 120)
		ev(5, 126, 16),    // 8: [126, 136); nothing closes: 120+5 ≤ 110 is false before, 125 ≤ 126 after: [98, 120) closes
		ev(6, 119, 32),    // 10: overlaps the closed one and [126, 136): joins the open one: [119, 136)
		ev(7, 108, 64),    // 12: its own [108, 118) would be closed: late
		ev(8, 112, 128),   // 14: own [112, 122) is open and overlaps the open one, [119, 136): joins it
		ev(9, 110, 256),   // 16: own [110, 120) would be closed and overlaps the open one, but begins before it: late
		ev(10, 140, 512),  // 18: no overlap: [140, 150)
		ev(11, 111, 1024), // 20: own [111, 121) is closed and before [112, 136): late
		ev(12, 115, 2048), // 22: own [115, 125) is closed, but falls into the open one, [112, 136): counted
	)
	want := &oracle.Answer{
		Rows: map[result.Cell]result.Agg{cell(v, 98, 120): agg(1, 2, 4, 8)},
		Open: map[result.Cell]result.Agg{
			cell(v, 112, 136): agg(16, 32, 128, 2048),
			cell(v, 140, 150): agg(512),
		},
		ClosedAt: map[result.Cell]int64{cell(v, 98, 120): 8},
		Excluded: []oracle.Exclusion{
			{Offset: 12, Cause: result.Late, View: v.ID(), Span: cell(v, 108, 118).Span, Watermark: 126 * second},
			{Offset: 16, Cause: result.Late, View: v.ID(), Span: cell(v, 110, 120).Span, Watermark: 126 * second},
			{Offset: 20, Cause: result.Late, View: v.ID(), Span: cell(v, 111, 121).Span, Watermark: 140 * second},
		},
		Counts: map[int32]*oracle.Counts{0: {
			Records: 12, Valid: 12, Counted: map[string]uint64{v.ID(): 9}, Late: map[string]uint64{v.ID(): 3}, Watermark: 140 * second,
		}},
	}
	if diff := cmp.Diff(want, oracle.Stream(f, records)); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
	all := oracle.All(f, records)
	whole := map[result.Cell]result.Agg{
		cell(v, 98, 136):  agg(1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 2048),
		cell(v, 140, 150): agg(512),
	}
	if diff := cmp.Diff(whole, all.Open); diff != "" || len(all.Rows) != 0 {
		t.Errorf("all (-want +got):\n%s%v", diff, all.Rows)
	}
}

// A start names a session of a key for good. (Once, an event in time that was
// over could join an open session that began after it, and so move its start to
// that of a closed one.)
func TestSessionsHaveTheirOwnStarts(t *testing.T) {
	f := file(t, `
time: {believed: {count: 1, of: 1}}
views: [{name: s, window: {session: 5s}, lateness: 2s}]
`)
	rapid.Check(t, func(t *rapid.T) {
		var values [][]byte
		now := int64(100)
		for i := range rapid.IntRange(1, 60).Draw(t, "events") {
			now += rapid.Int64Range(0, 4).Draw(t, "step")
			values = append(values, ev(uint64(i), now-rapid.Int64Range(0, 20).Draw(t, "behind"), 1))
		}
		a := oracle.Stream(f, log(values...))
		starts := map[int64]view.Span{}
		for _, cells := range []map[result.Cell]result.Agg{a.Rows, a.Open} {
			for c := range cells {
				if other, twice := starts[c.Span.Start]; twice {
					t.Fatalf("%v and %v have one start", c.Span, other)
				}
				starts[c.Span.Start] = c.Span
			}
		}
	})
}
