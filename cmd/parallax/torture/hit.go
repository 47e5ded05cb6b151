package torture

import (
	"context"
	"fmt"
	"strings"
	"time"

	"parallax.example/internal/failpoint"
)

// inFlight is how long what a dead program had committed may take to be read.
const inFlight = 40 * time.Millisecond

// note remembers that a program was hit now.
func (r *run) note(names ...string) { r.noteAt(time.Now(), names...) }

func (r *run) noteAt(at time.Time, names ...string) {
	h := hit{at: at, before: r.tail.committed(), grace: inFlight}
	for _, name := range names {
		if o := r.roles[name]; o != nil && strings.HasPrefix(name, "processor-") {
			h.partitions = append(h.partitions, o.owned()...)
		}
	}
	r.hits = append(r.hits, h)
}

// recoveries are, for each hit and each partition that was hit, how long after
// it the first new result was visible; waiting counts those that had something
// to tell and told nothing.
func (r *run) recoveries() (list []time.Duration, waiting int) {
	r.tail.mu.Lock()
	defer r.tail.mu.Unlock()
	for _, h := range r.hits {
		for _, p := range h.partitions {
			commits := r.tail.commits[p]
			if len(commits) == 0 || commits[len(commits)-1].next <= h.before[p] {
				continue // everything had been told
			}
			found := false
			for _, c := range commits {
				if c.at.After(h.at.Add(h.grace)) {
					list, found = append(list, c.at.Sub(h.at)), true
					break
				}
			}
			if !found && commits[len(commits)-1].at.Before(h.at) {
				waiting++
			}
		}
	}
	return list, waiting
}

// died waits for an armed program to die at its failpoint.
func (r *run) died(ctx context.Context, name string, patience time.Duration) error {
	o := r.roles[name]
	if err := r.await(ctx, name+" to die at its failpoint", patience, o.over); err != nil {
		return err
	}
	if o.proc.Err() == nil {
		return fmt.Errorf("the %s came to its regular end before its failpoint", name)
	}
	at := time.Now()
	if list := r.firings(); len(list) > 0 {
		at = list[len(list)-1].Time
	}
	r.noteAt(at, name)
	delete(r.roles, name)
	return nil
}

// firings are what the failpoints of the run have told so far.
func (r *run) firings() []failpoint.Firing {
	list, err := failpoint.ReadLog(r.in("fired.log"))
	if err != nil {
		return nil // a line is being written
	}
	return list
}

// fired counts the faults of the run: where failpoints were armed those that they
// told of, else those that were done from outside.
func (r *run) fired() int {
	if r.armed {
		return len(r.firings())
	}
	return len(r.hits)
}

func (r *run) String() string { return fmt.Sprintf("%s, seed %d", r.row.name, r.seed) }
