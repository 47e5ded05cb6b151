package engine_test

import (
	"math/rand/v2"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/services/processor/engine"
)

// One event in ten carries a time somewhere in the next century, for ever. The
// cells it leaves are in nobody's way, and a place among them is found without
// a walk along all of them.
func TestWildTimesAreFound(t *testing.T) {
	for _, views := range []string{"views: [{name: a, window: {tumbling: 10s}}]", "views: [{name: a, window: {session: 10s}}]"} {
		f := parse(t, views)
		e := engine.New(f, "events", 0)
		r := rand.New(rand.NewPCG(1, 5))
		var n int64
		var log []oracle.Record
		step := func() {
			var part []oracle.Record
			for range 500 {
				e := event.Event{Key: []byte("k"), Time: n * second}
				if n%10 == 9 {
					e.Time += r.Int64N(100 * 365 * 24 * hour)
				}
				part = append(part, oracle.Record{Offset: n, Value: event.AppendProto(nil, &e)})
				n++
			}
			transaction(e, part[0].Offset, values(part)...)
			log = append(log, part...)
		}
		for range 4 {
			step()
		}
		// The milestones are no promise: undone, or with their cells gone, all is found as well.
		before := e.Dump()
		var out engine.Output
		if err := e.Apply(batch([]oracle.Record{{Offset: n, Value: at(n * second)[0]}, {Offset: n + 1, Value: at(n*second + 200*365*24*hour/7)[0]}}), &out); err != nil {
			t.Fatal(err)
		}
		e.Rollback()
		if e.Dump() != before {
			t.Error("rollback changed the state")
		}
		same(t, "open rows", e.Open(), oracle.Stream(f, log).Open)
		for range 60 {
			step()
		}
		_ = e.Dump()
		most := 0
		for range 1000 {
			steps, milestones := e.Walked([]byte("k"), n*second+r.Int64N(100*365*24*hour))
			most = max(most, steps)
			if milestones < 100 {
				t.Fatalf("%d milestones", milestones)
			}
		}
		near, _ := e.Walked([]byte("k"), n*second)
		if most > 80 || near > 3 {
			t.Errorf("walks of %d cells among the wild ones, %d to the present", most, near)
		}
	}
}

func values(log []oracle.Record) (list [][]byte) {
	for _, l := range log {
		list = append(list, l.Value)
	}
	return list
}
