package torture

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"parallax.example/cmd/parallax/recording"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
)

// longRows take minutes, and are run only when they are named.
var longRows = []row{
	{name: "million", group: "long", what: "kill -9 of a processor with a million open cells, fifty times: from the kill to the first new result", wants: kills,
		long: true, tame: true, plan: planMillion, during: killMillion},
	{name: "marathon", group: "long", what: "one run of --events, at 20,000 a second, with 20 kills of any process", wants: 20,
		long: true, lake: true, plan: planMarathon, during: marathon},
}

const (
	kills = 50
	cells = 1_000_000
	// trickle is between two events of a partition while processors are killed.
	trickle = 20 * time.Millisecond
	// killEach is about how long a kill, the takeover and the return take.
	killEach = 8 * time.Second
)

const plainView = `time: {believed: {count: 8, of: 64}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 1h, aggregates: [count, sum, min, max, mean]}
`

func planMillion(r *run) {
	r.views, r.processors, r.static = plainView, 2, false
	r.commit, r.batch = 100*time.Millisecond, 65536
	r.events = cells
	r.load = writeMillion
}

// writeMillion writes an event for each of a million keys, all within one hour,
// and then a trickle of events of the first keys.
func writeMillion(path string) error {
	return recording.Write(path, func(rows *recording.Rows, flush func() error) error {
		var offsets [partitions]int64
		slow := int(kills * killEach / trickle)
		for i := range cells + slow*partitions {
			n, at := i, int64(0)
			if i >= cells {
				n, at = (i-cells)%10_000, int64(1+(i-cells)/partitions)*trickle.Milliseconds()
			}
			key := fmt.Appendf(nil, "key-%07d", n)
			p := kafka.Partition(key, partitions)
			e := event.Event{Producer: []byte("sensor"), Seq: uint64(i), HasID: true, Key: key, Time: begin - begin%(60*minute) + int64(i)%(50*minute), Value: int64(i)}
			rows.Add(recording.Record{Partition: p, Offset: offsets[p], Timestamp: at, Key: key, Value: event.AppendProto(nil, &e)})
			offsets[p]++
			if i%4096 == 4095 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// killMillion kills one of two processors again and again, and splits the time
// until the first new result by what the other one logs.
func killMillion(ctx context.Context, r *run) error {
	if err := r.await(ctx, "a million cells", 5*time.Minute, func() bool {
		var sum int64
		for _, next := range r.tail.committed() {
			sum += next
		}
		return sum >= cells
	}); err != nil {
		return err
	}
	var detect, rebalance, take, restore, first, total []time.Duration
	for range kills {
		if err := r.shared(ctx); err != nil {
			return err
		}
		if err := r.soon(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		i := r.rng.IntN(2)
		victim, other := processor(i), r.roles[processor(1-i)]
		from := len(other.text())
		r.note(victim)
		h := r.hits[len(r.hits)-1]
		r.kill(victim)
		at, err := r.firstNew(ctx, &h)
		if err != nil {
			return err
		}
		s, err := split(other.text()[from:])
		if err != nil {
			return err
		}
		detect = append(detect, s.gave.Sub(h.at))
		rebalance = append(rebalance, s.took.Add(-s.taking).Sub(s.gave))
		take, restore = append(take, s.taking-s.restoring), append(restore, s.restoring)
		first, total = append(first, at.Sub(s.took)), append(total, at.Sub(h.at))
		if err := r.startProcessor(i); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name string
		took []time.Duration
	}{
		{"the kill is noticed (session timeout " + r.session.String() + ")", detect}, {"the group agrees", rebalance},
		{"transactional ids are taken", take}, {"the state is restored", restore}, {"the first transaction", first}, {"from the kill to the first new result", total},
	} {
		slices.Sort(part.took)
		r.notes = append(r.notes, fmt.Sprintf("%-55s p50 %7s, p99 %7s", part.name, brief(quantile(part.took, 50)), brief(quantile(part.took, 99))))
	}
	// What is left of the trickle need not be waited for.
	r.roles["generator"].doomed = true
	r.roles["generator"].proc.Stop()
	return r.ended(ctx, "generator")
}

// shared waits until both processors own partitions and have answered nearly all.
func (r *run) shared(ctx context.Context) error {
	return r.await(ctx, "two owners at work", drainFor, func() bool {
		return len(r.roles[processor(0)].owned()) == partitions/2 && len(r.roles[processor(1)].owned()) == partitions/2
	})
}

// firstNew waits until each partition that was hit has told something new, and
// returns when the last of them did.
func (r *run) firstNew(ctx context.Context, h *hit) (last time.Time, err error) {
	err = r.await(ctx, "the first new results", 2*drainFor, func() bool {
		r.tail.mu.Lock()
		defer r.tail.mu.Unlock()
		last = time.Time{}
		for _, p := range h.partitions {
			commits := r.tail.commits[p]
			i, _ := slices.BinarySearchFunc(commits, h.at.Add(h.grace), func(c commit, at time.Time) int { return c.at.Compare(at) })
			if i == len(commits) {
				return false
			}
			if commits[i].at.After(last) {
				last = commits[i].at
			}
		}
		return true
	})
	return last, err
}

// taking is how a processor took over.
type taking struct {
	gave, took        time.Time // when it gave up its own, and had all
	taking, restoring time.Duration
}

var (
	gaveAt = regexp.MustCompile(`time=(\S+) \S+ msg="partitions given up"`)
	tookAt = regexp.MustCompile(`time=(\S+) \S+ msg="partitions taken over".* took=(\S+) restore=(\S+)`)
)

// split reads the first takeover in a piece of a processor's log.
func split(text string) (s taking, err error) {
	gave, took := gaveAt.FindStringSubmatch(text), tookAt.FindStringSubmatch(text)
	if gave == nil || took == nil {
		return s, fmt.Errorf("cannot find the takeover in %q", text)
	}
	for _, step := range []error{
		parse(&s.gave, gave[1]), parse(&s.took, took[1]),
	} {
		if step != nil {
			return s, step
		}
	}
	if s.taking, err = time.ParseDuration(took[2]); err != nil {
		return s, err
	}
	s.restoring, err = time.ParseDuration(strings.TrimSpace(took[3]))
	return s, err
}

func parse(t *time.Time, text string) (err error) {
	*t, err = time.Parse(time.RFC3339Nano, text)
	return err
}

func planMarathon(r *run) {
	r.processors, r.commit, r.batch = 3, 200*time.Millisecond, 65536
	r.lasts = time.Duration(r.events) * 50 * time.Microsecond
}

// marathon kills any process of the run, now and then.
func marathon(ctx context.Context, r *run) error {
	every := r.lasts / 22
	for range 20 {
		if err := r.pause(ctx, every/2); err != nil {
			return err
		}
		if err := r.soon(ctx, every); err != nil {
			return err
		}
		var names []string
		for name := range r.roles {
			names = append(names, name)
		}
		slices.Sort(names)
		name := names[r.rng.IntN(len(names))]
		args, over := r.roles[name].args, r.roles[name].over()
		if over {
			name, args = processor(0), r.roles[processor(0)].args // the generator has done its work
		}
		r.note(name)
		r.kill(name)
		if err := r.start(name, "", args...); err != nil {
			return err
		}
	}
	return nil
}
