package sim_test

import (
	"fmt"

	"parallax.example/internal/event"
	"parallax.example/internal/view"
)

const rules = "time: {believed: {count: 2, of: 8}, punctuation: [generator]}\nviews:\n"

// viewFiles are what runs answer.
var viewFiles = []*view.File{
	parse("  - {name: hourly, window: {tumbling: 1h}, lateness: 10m}\n"),
	parse("  - {name: hourly, window: {tumbling: 1h}, lateness: 0s, emit: final}\n  - {name: sliding, window: {hopping: 2h, every: 30m}, lateness: 20m, aggregates: [count, p95]}\n"),
	parse("  - {name: visits, window: {session: 40m}, lateness: 5m, aggregates: [count, distinct]}\n"),
	parse("  - {name: hourly, window: {tumbling: 1h}, lateness: 10m}\n  - {name: visits, window: {session: 20m}, lateness: 30m}\n"),
}

func parse(views string) *view.File {
	f, err := view.Parse("views.yaml", []byte(rules+views))
	if err != nil {
		panic(err)
	}
	return f
}

// compose makes the input of a run: for each partition a few dozen records in
// rough order of time, with late ones, duplicates, stale ones, events without an
// id, JSON and garbage; sometimes the punctuation that closes everything.
func (r *run) compose() {
	w := r.world.Rand
	const minute = int64(60_000_000)
	total := 20 + w.IntN(45)
	r.input = make([][][]byte, r.partitions)
	for p := range r.partitions {
		n := 1 + total/r.partitions
		add := func(value []byte) { r.input[p] = append(r.input[p], value) }
		producer := fmt.Appendf(nil, "p%d", p)
		for i := range n {
			e := event.Event{
				Producer: producer, Seq: uint64(i), HasID: true,
				Key: fmt.Appendf(nil, "k%d", w.IntN(3)), Subject: fmt.Appendf(nil, "s%d", w.IntN(5)), Value: w.Int64N(1000) - 300,
				Time: 600*minute + int64(i)*9*minute - w.Int64N(6)*w.Int64N(20)*minute,
			}
			switch w.IntN(14) {
			case 0:
				e.Seq = uint64(w.IntN(i + 1)) // a duplicate, if it was sent
			case 1:
				e.Producer, e.Seq, e.HasID = nil, 0, false
			case 2:
				add([]byte("garbage"))
				continue
			case 3:
				add(event.AppendJSON(nil, &e))
				continue
			case 4:
				e.Producer, e.Seq = []byte("jumper"), uint64(w.IntN(2))<<22 // the small ones become stale
			}
			add(event.AppendProto(nil, &e))
		}
		if w.IntN(2) == 0 {
			add(closing)
		}
	}
}

// closing is the punctuation that closes everything.
var closing = event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark})
