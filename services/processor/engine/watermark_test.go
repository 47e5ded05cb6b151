package engine_test

import (
	"fmt"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

const hour = 3600 * second

// feed applies values from offset 0 on, in one transaction, and returns the
// watermark after each.
func feed(e *engine.Engine, values ...[]byte) []int64 {
	var out engine.Output
	var watermarks []int64
	for i, v := range values {
		e.MustApply(batch([]oracle.Record{{Offset: int64(i), Value: v}}), &out)
		watermarks = append(watermarks, e.Stats().Watermark)
	}
	e.Flush(&out)
	e.Commit()
	return watermarks
}

func at(times ...int64) [][]byte {
	var values [][]byte
	for _, t := range times {
		values = append(values, event.AppendProto(nil, &event.Event{Key: []byte("k"), Time: t}))
	}
	return values
}

func rules(t *testing.T, count, of, lag int) *view.File {
	return parse(t, fmt.Sprintf("time: {believed: {count: %d, of: %d}, lag: %dus, punctuation: [me]}\nviews: [{name: v, window: {tumbling: 1h}}]", count, of, lag))
}

func TestWatermark(t *testing.T) {
	const no = engine.NoWatermark
	me := func(w int64) []byte {
		return event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("me"), Watermark: w})
	}
	for _, c := range []struct {
		name           string
		count, of, lag int
		values         [][]byte
		want           []int64
	}{
		{"the largest time", 1, 1, 0, at(5, 9, 7, 12), []int64{5, 9, 9, 12}},
		{"less a lag", 1, 1, 3, at(5, 9, 7, 12), []int64{2, 6, 6, 9}},
		{"needs its count", 3, 5, 0, at(5, 6, 7, 8), []int64{no, no, 5, 6}},
		{"is not the third largest ever", 2, 3, 0, at(100, 1, 2, 3, 100), []int64{no, 1, 2, 2, 3}},
		{"the last of them still counts", 2, 3, 0, at(100, 1, 100), []int64{no, 1, 100}},
		{"equal times", 2, 4, 0, at(7, 7, 7, 7), []int64{no, 7, 7, 7}},
		{"an old time reached again", 2, 2, 0, at(1, 1, 9, 2, 9), []int64{no, 1, 1, 2, 2}},
		{"punctuation", 1, 1, 0, append(append(at(5), me(20), me(10)), at(15, 21)...), []int64{5, 20, 20, 20, 21}},
		{"punctuation is nobody's time", 2, 2, 0, append([][]byte{me(20)}, at(5, 6, 30, 31)...), []int64{20, 20, 20, 20, 30}},
		{"punctuation knows no lag", 1, 1, 5, append([][]byte{me(20)}, at(24, 26)...), []int64{20, 20, 21}},
	} {
		got := feed(engine.New(rules(t, c.count, c.of, c.lag), "events", 0), c.values...)
		same(t, c.name, got, c.want)
	}
}

// A wild clock: years ahead, for good. Seven of 64 events do not move the
// watermark, however long it goes on; eight do.
func TestWildClock(t *testing.T) {
	for wild, want := range map[int]bool{0: false, 1: false, 7: false, 8: true} {
		e := engine.New(rules(t, 8, 64, 0), "events", 0)
		var times []int64
		for i := range 10 * 64 {
			time := int64(i) * second
			if i%64 < wild {
				time += 1_000_000 * hour
			}
			times = append(times, time)
		}
		w := feed(e, at(times...)...)
		if moved := w[len(w)-1] > 1000*hour; moved != want {
			t.Errorf("%d wild events of 64: watermark %d", wild, w[len(w)-1])
		}
		if !want && w[len(w)-1] < 500*second {
			t.Errorf("%d wild events of 64 held the watermark at %d", wild, w[len(w)-1])
		}
	}
}
