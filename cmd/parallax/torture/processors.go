package torture

import (
	"context"
	"fmt"
	"time"
)

var processorRows = []row{
	{name: "kill", group: "processor", what: "kill -9 of one processor, started again at once", wants: 1, during: killOne},
	{name: "takeover", group: "processor", what: "kill -9 of one processor; the others take over before it is started again", wants: 1, during: takeover},
	{name: "kill-all", group: "processor", what: "kill -9 of all processors at once, started again", wants: 1, lake: true, during: killEvery},
	{name: "kill-again", group: "processor", what: "kill -9 of one processor, and again while it takes over and restores", wants: 3, joins: true, during: killAgain},
	{name: "rolling", group: "processor", what: "SIGTERM to one processor after the other, each started again", wants: 2, during: rolling},
	{name: "storm", group: "processor", what: "processors end and start again all the time, in order or by kill -9", wants: 6, joins: true, during: storm},
	{name: "freeze", group: "processor", what: "SIGSTOP of one processor for less than its transaction's timeout", wants: 1, during: freezeFor(0.1, 0.4)},
	{name: "freeze-transaction", group: "processor", what: "SIGSTOP for longer than the transaction's timeout, shorter than the session's", wants: 1, during: freezeFor(0.7, 0.9)},
	{name: "freeze-session", group: "processor", what: "SIGSTOP for longer than the session's timeout: a zombie wakes up", wants: 1, during: freezeFor(1.5, 2)},
	{name: "freeze-all", group: "processor", what: "SIGSTOP of all processors for longer than the session's timeout", wants: 1, during: freezeAll},
	{name: "zombie-in-commit", group: "processor", what: "SIGSTOP between the offsets and the commit, longer than the session's timeout", wants: 1, lasts: armedFor, before: stopAt("processor/offsets-sent"), during: thawLate},
	{name: "slow-commit", group: "processor", what: "each commit of one processor waits, now and then for longer than its transaction lives", wants: 1, before: slowCommit, during: waitFor(500 * time.Millisecond)},
	{name: "failing-steps", group: "processor", what: "steps of the transactions fail, one in some dozens", wants: 3, before: failSteps, during: waitFor(500 * time.Millisecond)},
}

// processorPoints are kill -9 at each failpoint of the processor.
var processorPoints = []row{
	point("processor/before-begin", atHit(3, 13)),
	point("processor/begun", atHit(3, 13)),
	point("processor/first-produced", atHit(3, 13)),
	point("processor/produced", atHit(3, 13)),
	point("processor/offsets-sent", atHit(3, 13)),
	{name: "processor/during-commit", group: "processor", what: "kill -9 of a processor some time after it began to commit", wants: 1, lasts: armedFor, before: killDuringCommit, during: dies},
	point("processor/committed", atHit(3, 13)),
	{name: "processor/revoking", group: "processor", what: "kill -9 of a processor at this failpoint", wants: 1, lasts: 8 * time.Second, before: killRevoking, during: rebalances},
	point("processor/taking", onStart),
	point("processor/taken", onStart),
	point("processor/restoring", onStart),
}

// armedFor is long enough for the armed one to come to its failpoint, also where it
// gets its partitions late.
const armedFor = 2 * streamFor

// point is a kill at a failpoint of the processor.
func point(name string, reach func(name string) (before, during func(context.Context, *run) error)) row {
	before, during := reach(name)
	return row{name: name, group: "processor", what: "kill -9 of a processor at this failpoint", wants: 1, lasts: armedFor, before: before, during: during}
}

// midway waits until a part of the load is answered, so that a fault finds
// everything at work.
func (r *run) midway(ctx context.Context) error {
	sent := int(float64(r.events) * (0.15 + 0.35*r.rng.Float64()))
	return r.await(ctx, "a part of the load", drainFor, func() bool {
		var done int64
		for _, next := range r.tail.committed() {
			done += next
		}
		return int(done) >= sent
	})
}

// victim is the name of a processor that owns something.
func (r *run) victim(ctx context.Context) (name string, err error) {
	first := r.rng.IntN(r.processors)
	err = r.await(ctx, "an owner of partitions", drainFor, func() bool {
		for i := range r.processors {
			name = processor((first + i) % r.processors)
			if o := r.roles[name]; o != nil && len(o.owned()) > 0 {
				return true
			}
		}
		return false
	})
	return name, err
}

// soon is a random moment within the given time.
func (r *run) soon(ctx context.Context, within time.Duration) error {
	return r.pause(ctx, time.Duration(r.rng.Int64N(int64(within))))
}

func killOne(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	name, err := r.victim(ctx)
	if err != nil {
		return err
	}
	if err := r.soon(ctx, 200*time.Millisecond); err != nil {
		return err
	}
	r.note(name)
	r.kill(name)
	return nil
}

func takeover(ctx context.Context, r *run) error {
	if err := killOne(ctx, r); err != nil {
		return err
	}
	h := r.hits[len(r.hits)-1]
	return r.await(ctx, "the others to take over", r.bound(), func() bool {
		next := r.tail.committed()
		for _, p := range h.partitions {
			if next[p] <= h.before[p] && r.unanswered(p) {
				return false
			}
		}
		return true
	})
}

// unanswered says that a partition holds more than was answered.
func (r *run) unanswered(p int32) bool {
	next := r.tail.committed()[p]
	r.tail.mu.Lock()
	defer r.tail.mu.Unlock()
	var end int64
	for _, m := range r.tail.seen[r.topics.Events] {
		if m.Partition == p {
			end = max(end, m.Offset+1)
		}
	}
	return next < end
}

func (r *run) all() (names []string) {
	for i := range r.processors {
		if r.roles[processor(i)] != nil {
			names = append(names, processor(i))
		}
	}
	return names
}

func killEvery(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	r.note(r.all()...)
	for _, name := range r.all() {
		r.kill(name)
	}
	return nil
}

func killAgain(ctx context.Context, r *run) error {
	if err := killOne(ctx, r); err != nil {
		return err
	}
	for range 2 {
		if err := r.heal(); err != nil {
			return err
		}
		if err := r.soon(ctx, r.session/2+300*time.Millisecond); err != nil {
			return err
		}
		name := processor(r.rng.IntN(r.processors))
		r.note(name)
		r.kill(name)
	}
	return nil
}

func rolling(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	for i := range r.processors {
		r.note(processor(i))
		if err := r.stop(ctx, processor(i)); err != nil {
			return err
		}
		if err := r.startProcessor(i); err != nil {
			return err
		}
		if err := r.soon(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func storm(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	for range 6 + r.rng.IntN(4) {
		i := r.rng.IntN(r.processors)
		r.note(processor(i))
		if r.rng.IntN(2) == 0 {
			r.kill(processor(i))
		} else if err := r.stop(ctx, processor(i)); err != nil {
			return err
		}
		if err := r.soon(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		if err := r.startProcessor(i); err != nil {
			return err
		}
		if err := r.soon(ctx, 400*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// freezeFor freezes one processor for a time between two parts of its session.
func freezeFor(least, most float64) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if err := r.midway(ctx); err != nil {
			return err
		}
		name, err := r.victim(ctx)
		if err != nil {
			return err
		}
		r.note(name)
		return r.freeze(ctx, time.Duration(float64(r.session)*(least+(most-least)*r.rng.Float64())), name)
	}
}

func freezeAll(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	r.note(r.all()...)
	return r.freeze(ctx, r.session*3/2, r.all()...)
}

func (r *run) freeze(ctx context.Context, d time.Duration, names ...string) error {
	for _, name := range names {
		r.roles[name].proc.Freeze()
	}
	err := r.pause(ctx, d)
	for _, name := range names {
		r.roles[name].proc.Thaw()
	}
	return err
}

// stopAt arms the first processor to stop itself at a failpoint.
func stopAt(name string) func(context.Context, *run) error {
	return func(_ context.Context, r *run) error {
		return r.startArmed(0, fmt.Sprintf("%s=stop@%d", name, 3+r.rng.IntN(10)))
	}
}

// thawLate waits for the stop, and lets the zombie wake up after its session.
func thawLate(ctx context.Context, r *run) error {
	if err := r.await(ctx, "the stop", drainFor, func() bool { return r.fired() > 0 }); err != nil {
		return err
	}
	r.note(processor(0))
	if err := r.pause(ctx, time.Duration(float64(r.session)*(1.3+0.5*r.rng.Float64()))); err != nil {
		return err
	}
	r.roles[processor(0)].proc.Thaw()
	return nil
}

func slowCommit(_ context.Context, r *run) error {
	long := r.transaction + time.Duration(r.rng.IntN(400))*time.Millisecond
	seed := r.rng.IntN(1000)
	return r.startArmed(0, fmt.Sprintf("processor/offsets-sent=delay=%v@%d,processor/produced=delay=30ms@1/4:%d", long, 3+r.rng.IntN(9), seed))
}

func failSteps(_ context.Context, r *run) error {
	seed := r.rng.IntN(1000)
	var armed string
	for i, step := range []string{"begun", "first-produced", "produced", "offsets-sent", "committed"} {
		if i > 0 {
			armed += ","
		}
		armed += fmt.Sprintf("processor/%s=fail@1/12:%d", step, seed+i)
	}
	return r.startArmed(0, armed)
}

func waitFor(d time.Duration) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if err := r.midway(ctx); err != nil {
			return err
		}
		r.roles[processor(0)].doomed = false // it must bear what is done to it
		return r.pause(ctx, d)
	}
}

// atHit reaches a failpoint that each transaction comes by.
func atHit(least, most int) func(string) (before, during func(context.Context, *run) error) {
	return func(name string) (before, during func(context.Context, *run) error) {
		return func(_ context.Context, r *run) error {
			return r.startArmed(0, fmt.Sprintf("%s=kill@%d", name, least+r.rng.IntN(most-least)))
		}, dies
	}
}

func dies(ctx context.Context, r *run) error { return r.died(ctx, processor(0), drainFor) }

func killDuringCommit(_ context.Context, r *run) error {
	wait := time.Duration(r.rng.IntN(4000)) * time.Microsecond
	return r.startArmed(0, fmt.Sprintf("processor/offsets-sent=kill-after=%v@%d", wait, 3+r.rng.IntN(10)))
}

// onStart reaches a failpoint that a processor comes by when it takes over: one
// is killed midway, and started again with it.
func onStart(name string) (before, during func(context.Context, *run) error) {
	return nil, func(ctx context.Context, r *run) error {
		if err := killOne(ctx, r); err != nil {
			return err
		}
		return r.armMissing(ctx, name+"=kill")
	}
}

// killRevoking arms a processor to die while it gives partitions up. It has a
// transaction then only while there is something to answer.
func killRevoking(_ context.Context, r *run) error {
	r.static = false // a static member that leaves is expected back, and nothing moves
	return r.startArmed(0, "processor/revoking=kill@2+")
}

// rebalances lets the others leave and come back until the armed one is dead.
func rebalances(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	armed := r.roles[processor(0)]
	for i := 1; !armed.over() && !r.roles["generator"].over(); i = i%(r.processors-1) + 1 {
		if err := r.stop(ctx, processor(i)); err != nil {
			return err
		}
		if err := r.startProcessor(i); err != nil {
			return err
		}
		next := time.Now().Add(500 * time.Millisecond)
		if err := r.await(ctx, "the next moment", drainFor, func() bool { return armed.over() || !time.Now().Before(next) }); err != nil {
			return err
		}
	}
	return r.died(ctx, processor(0), drainFor)
}

// armMissing starts the processors that do not run, armed, and waits for the
// first to die.
func (r *run) armMissing(ctx context.Context, armed string) error {
	for i := range r.processors {
		if name := processor(i); r.roles[name] == nil {
			if err := r.startArmed(i, armed); err != nil {
				return err
			}
			return r.died(ctx, name, drainFor)
		}
	}
	return nil
}
