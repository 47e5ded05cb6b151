package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"parallax.example/cmd/parallax/recording"
)

const (
	// loaded keys leave a million open cells: some of their events come too late.
	loaded        = 1_200_000
	recoveryKills = 25
	// trickle is between two messages while processors are killed: each partition
	// has something to tell about every 20 ms.
	trickle = 5 * time.Millisecond
	// killEach is longer than a kill, the takeover and the return take: so much
	// trickle there is for each.
	killEach = 16 * time.Second
)

const recoveryViews = `time: {believed: {count: 8, of: 64}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 1h}
`

func planRecovery(r *run) {
	r.views, r.processors, r.static = recoveryViews, 2, false
	r.commit, r.batch = 100*time.Millisecond, 65536
	r.lasts = recoveryKills * killEach
	r.load = r.writeMillion
}

// writeMillion writes an event for each of r.events keys, most within one hour,
// and then a trickle of these keys. The first are hours before: their window closes
// when that hour has begun.
func (r *run) writeMillion(path string) error {
	next := 0
	hour := begin - begin%(60*minute)
	l := &load{
		rng: rand.New(rand.NewPCG(r.seed, 1)),
		// Of a million events at the usual rate eight wild ones would once come so
		// close together that they are believed, and all cells of a partition close.
		wild: 1000,
		key: func(rng *rand.Rand) []byte {
			n := next
			if next++; n >= r.events {
				n = rng.IntN(r.events)
			}
			return fmt.Appendf(nil, "key-%07d", n)
		},
		time: func(i, n int) int64 {
			if i < 40*partitions {
				return hour - 4*60*minute + int64(i)
			}
			return hour + int64(i)*(59*minute/int64(n))
		},
	}
	slow := int(r.lasts / trickle)
	return recording.Write(path, func(rows *recording.Rows, flush func() error) error {
		n := r.events + slow
		for i := range n {
			at := max(0, int64(i-r.events)*trickle.Milliseconds())
			l.add(rows, at, i, n)
			if i%4096 == 4095 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		l.end(rows, r.lasts.Milliseconds())
		return nil
	})
}

// killLoaded kills one of two processors again and again, and splits the time
// until all its partitions have told something new by what the other one logs.
func killLoaded(ctx context.Context, r *run) error {
	if err := r.await(ctx, "the cells", 3*r.patience, func() bool { n, _ := r.tail.answers(); return n >= int64(r.events) }); err != nil {
		return err
	}
	var parts [len(recoveryParts)][]time.Duration
	r.measured.cells = r.tail.cells()
	for range recoveryKills {
		if err := r.await(ctx, "two owners at work", r.patience, func() bool {
			return len(r.roles[processor(0)].owned()) == partitions/2 && len(r.roles[processor(1)].owned()) == partitions/2
		}); err != nil {
			return err
		}
		if err := r.soon(ctx, 300*time.Millisecond); err != nil {
			return err
		}
		r.measured.cells = min(r.measured.cells, r.tail.cells())
		i := r.rng.IntN(2)
		other := r.roles[processor(1-i)]
		from := len(other.text())
		r.note(processor(i))
		h := &r.hits[len(r.hits)-1]
		r.kill(processor(i))
		told, err := r.toldNew(ctx, h)
		if err != nil {
			return err
		}
		took, err := readTaking(other.text()[from:])
		if err != nil {
			return err
		}
		for i, d := range took.split(h.at, told) {
			parts[i] = append(parts[i], d)
		}
		if err := r.startProcessor(i); err != nil {
			return err
		}
	}
	for i, name := range recoveryParts {
		r.measured.parts = append(r.measured.parts, Part{name, parts[i]})
	}
	// What is left of the trickle need not be waited for.
	r.kill("generator")
	r.speed = "max"
	return r.startGenerator()
}

// toldNew waits until each partition that was hit has told something new, and
// returns when the last of them did.
func (r *run) toldNew(ctx context.Context, h *hit) (last time.Time, err error) {
	err = r.await(ctx, "the first new results", r.bound(), func() bool {
		r.tail.mu.Lock()
		defer r.tail.mu.Unlock()
		last = time.Time{}
		for _, p := range h.partitions {
			commits := r.tail.commits[p]
			i := slices.IndexFunc(commits, func(c commit) bool { return c.records > 0 && c.at.After(h.at.Add(h.grace)) })
			if i < 0 {
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

// recoveryParts are what a recovery consists of. The last two are sums.
var recoveryParts = [...]string{
	"detection: until the session is over and the others are told",
	"takeover: the group agrees",
	"takeover: the transactional ids are taken",
	"restore: offsets and state",
	"first result: read, answered, committed, seen",
	"all but detection",
	"from the kill to the first new result",
}

// taking is how a processor took partitions over, by its log.
type taking struct {
	gave, took       time.Time     // when it gave up its own, and had all
	whole, restoring time.Duration // of which the second is the end of the first
}

// split gives the parts of a recovery, in their order.
func (t *taking) split(killed, told time.Time) [len(recoveryParts)]time.Duration {
	began := t.took.Add(-t.whole)
	return [...]time.Duration{
		t.gave.Sub(killed), began.Sub(t.gave), t.whole - t.restoring, t.restoring, told.Sub(t.took), told.Sub(t.gave), told.Sub(killed),
	}
}

var takenOver = regexp.MustCompile(`time=(\S+) \S+ msg="partitions given up"[^\n]*\n(?:.*\n)*?time=(\S+) \S+ msg="partitions taken over".* took=(\S+) restore=(\S+)`)

// readTaking reads the first takeover in a piece of a processor's log.
func readTaking(text string) (t taking, err error) {
	m := takenOver.FindStringSubmatch(text)
	if m == nil {
		return t, fmt.Errorf("cannot find the takeover in the log %q", text)
	}
	for _, parse := range []func() error{
		func() (err error) { t.gave, err = time.Parse(time.RFC3339Nano, m[1]); return err },
		func() (err error) { t.took, err = time.Parse(time.RFC3339Nano, m[2]); return err },
		func() (err error) { t.whole, err = time.ParseDuration(m[3]); return err },
		func() (err error) { t.restoring, err = time.ParseDuration(m[4]); return err },
	} {
		if err := parse(); err != nil {
			return t, fmt.Errorf("cannot read the takeover %q: %w", m[0], err)
		}
	}
	return t, nil
}
