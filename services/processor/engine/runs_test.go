package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
)

// Windows of very many panes that are full, with events that come into panes
// of windows which have closed: what the sums of runs are for.
func TestLargeOverlap(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 13))
		hop := 1 + r.IntN(3)
		f := parse(t, fmt.Sprintf("time: {believed: {count: 2, of: 3}}\nviews: [{name: a, window: {hopping: %ds, every: %ds}, lateness: %ds, emit: final, aggregates: [p50, distinct]}]",
			hop*(8+r.IntN(30)), hop, r.IntN(3)))
		var log []oracle.Record
		for i := range 600 {
			e := event.Event{
				Key: fmt.Appendf(nil, "k%d", r.IntN(2)), Subject: fmt.Appendf(nil, "s%d", r.IntN(50)),
				Time: int64(100+i/2)*second - r.Int64N(1+r.Int64N(40*second)), Value: int64(r.IntN(1000)),
			}
			log = append(log, oracle.Record{Offset: int64(i), Value: event.AppendProto(nil, &e)})
		}
		e, committed := run(t, r, f, log)
		compare(t, f, log, oracle.Stream(f, log), e, committed)
	}
}
