package check

import (
	"parallax.example/internal/result"
)

// assumptions asks whether the run can show anything at all: the fault has
// happened, and of every kind of message there was some.
func assumptions(r *run) {
	if r.Fault.Fired < r.Fault.Wants {
		r.fail("the fault %q happened %d times, wanted %d: this run shows nothing", r.Fault.Name, r.Fault.Fired, r.Fault.Wants)
	}
	if len(r.Ledger) == 0 || len(r.Ledger) > 2*len(r.Events.Records) {
		r.fail("the ledger holds %d messages and the log %d: most of them never came", len(r.Ledger), len(r.Events.Records))
	}
	unique := map[string]bool{}
	for i := range r.Ledger {
		m := &r.Ledger[i]
		if unique[string(m.Value)] {
			r.fail("message %d of the ledger has the bytes of another one: copies could not be counted", m.N)
		}
		unique[string(m.Value)] = true
	}
	var late, duplicate, stale, nameless int
	for _, x := range r.want.Excluded {
		switch x.Cause {
		case result.Late:
			late++
		case result.Duplicate:
			duplicate++
		case result.Stale:
			stale++
		}
	}
	for _, m := range r.log {
		if anonymous(m.Value) {
			nameless++
		}
	}
	for _, kind := range []struct {
		name string
		n    int
	}{
		{"late placements", late}, {"duplicates", duplicate}, {"stale events", stale}, {"events without an id", nameless},
		{"dead letters", len(r.want.Dead)}, {"closed windows", len(r.want.Rows)}, {"open windows", len(r.want.Open)},
	} {
		if kind.n == 0 {
			r.fail("the log has no %s: it is too tame to show anything", kind.name)
		}
	}
}

// quiet asks whether everything has come to its end: no transaction is open, and
// the processors have committed the whole log.
func quiet(r *run) {
	for _, t := range r.topics() {
		for _, o := range t.Ends {
			if o.Stable != o.High {
				r.fail("topic %q, partition %d: a transaction is still open between offsets %d and %d", t.Name, o.Partition, o.Stable, o.High)
			}
			if o.Earliest != 0 {
				r.fail("topic %q, partition %d begins at offset %d: what was told before is gone", t.Name, o.Partition, o.Earliest)
			}
		}
	}
	for p, end := range r.Events.Ends {
		if got := r.Group[p].Offset; got != end.High {
			r.fail("partition %d is committed up to offset %d, and ends at %d", p, got, end.High)
		}
	}
}

// reporter asks for the reporter's own verdict.
func reporter(r *run) {
	if r.Reporter != "" {
		r.fail("its verdict is not \"explained\": %s", r.Reporter)
	}
}

// recovery asks whether the stream came back in time.
func recovery(r *run) {
	if r.Fault.Waiting > 0 {
		r.fail("after the fault %d partitions told nothing new, though there was something to tell", r.Fault.Waiting)
	}
	for _, took := range r.Fault.Recoveries {
		if took > r.Bound {
			r.fail("the first new result came %v after the fault, and the bound is %v", took, r.Bound)
		}
	}
}
