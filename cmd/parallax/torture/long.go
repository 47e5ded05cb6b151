package torture

import (
	"context"
	"slices"
	"time"
)

// longRows take minutes, and are run only when they are named.
var longRows = []row{
	{name: "long-kills", group: "long", what: "2 million messages at 20,000 a second in one run, with 20 kill -9 of any process behind the first sixth", wants: longKills, events: 2_000_000,
		long: true, lake: true, plan: planLong, during: killAny},
	{name: "recovery", group: "long", what: "kill -9 of one of two processors with a million open cells, 25 times: how long until the other answers", wants: recoveryKills, events: loaded,
		long: true, plan: planRecovery, during: killLoaded},
}

const (
	longKills = 20
	// eachAt is between two messages: a pace that two cores keep, with all that
	// looks on.
	eachAt = 50 * time.Microsecond
)

// longViews make few cells of many events: the run and what is known of it lie in
// memory when it is judged. Sessions are left to the other rows: the oracle walks
// all of a key's for each event.
const longViews = `time: {believed: {count: 8, of: 64}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 10m, aggregates: [count, sum, min, max, mean, p95, distinct]}
  - {name: sliding, window: {hopping: 2h, every: 30m}, lateness: 0s, emit: final}
`

func planLong(r *run) {
	r.views, r.processors = longViews, 3
	r.commit, r.batch, r.rows, r.span = 500*time.Millisecond, 65536, 20_000, 2*time.Second
	r.lasts = time.Duration(r.events) * eachAt
	r.load = func(path string) error { return spread(r.seed, 200, 10*span).write(path, r.events, r.lasts) }
}

// killAny lets the first sixth flow in peace, and then kills any process of the
// run again and again, until all is sent. What it killed it starts again, at once
// or when the others may have noticed.
func killAny(ctx context.Context, r *run) error {
	reached := func(part int) func() bool {
		return func() bool { n, _ := r.tail.answers(); return n >= int64(r.events/part) }
	}
	if err := r.await(ctx, "the first messages", r.patience+r.lasts, reached(24)); err != nil {
		return err
	}
	n, begun := r.tail.answers()
	if err := r.await(ctx, "the first sixth", r.patience+r.lasts, reached(6)); err != nil {
		return err
	}
	calm, peace := r.tail.answers()
	r.measured.calm = Flow{calm - n, peace.Sub(begun)}
	every := r.lasts * 5 / 6 / (longKills + 1)
	for i := range longKills {
		if err := r.pause(ctx, time.Until(peace.Add(time.Duration(i)*every))+time.Duration(r.rng.Int64N(int64(every)))); err != nil {
			return err
		}
		if err := r.await(ctx, "all processors to be at work", r.patience, r.settled); err != nil {
			return err
		}
		if err := r.strike(ctx, r.mortal()); err != nil {
			return err
		}
	}
	if err := r.answered(ctx); err != nil {
		return err
	}
	all, end := r.tail.answers()
	r.measured.killed = Flow{all - calm, end.Sub(peace)}
	return nil
}

// settled says that every processor owns something, and every partition is owned.
// A member that is killed while it joins may stay in the embedded broker's group
// for ever; rows with such kills run on Apache Kafka.
func (r *run) settled() bool {
	var owned int
	for _, name := range r.all() {
		n := len(r.roles[name].owned())
		if n == 0 {
			return false
		}
		owned += n
	}
	return owned == partitions
}

// mortal is any process of the run that has something to do.
func (r *run) mortal() string {
	var names []string
	for name, o := range r.roles {
		if !o.over() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[r.rng.IntN(len(names))]
}

// strike kills a process and starts it again.
func (r *run) strike(ctx context.Context, name string) error {
	args := r.roles[name].args
	r.note(name)
	r.kill(name)
	if r.rng.IntN(2) == 0 {
		if err := r.soon(ctx, r.session*3/2); err != nil {
			return err
		}
	}
	return r.start(name, "", args...)
}
