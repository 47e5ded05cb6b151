package sim

import (
	"fmt"
	"io"
	"time"
)

// offset begins an FNV-1a hash.
const offset = 14695981039346656037

// Trace is a hash over all decisions of a run.
type Trace struct {
	Decisions int
	hash      uint64
	last      [4]uint64 // decisions
	log       io.Writer
	at        time.Duration
}

func newTrace(log io.Writer) Trace { return Trace{hash: offset, log: log} }

// Hash is equal for two runs that decided the same at the same times.
func (t *Trace) Hash() uint64 { return t.hash }

func (t *Trace) add(at time.Duration, name string) {
	const prime = 1099511628211
	t.at = at
	t.hash = (t.hash ^ uint64(at)) * prime
	kind := uint64(offset)
	for _, c := range []byte(name) {
		t.hash = (t.hash ^ uint64(c)) * prime
		if c < '0' || c > '9' { // which of several is no other way
			kind = (kind ^ uint64(c)) * prime
		}
	}
	t.last[t.Decisions%len(t.last)] = kind
	t.Decisions++
	t.note("%s", name)
}

func (t *Trace) note(format string, args ...any) {
	if t.log != nil {
		fmt.Fprintf(t.log, "%6d %12s  %s\n", t.Decisions, t.at, fmt.Sprintf(format, args...))
	}
}

// recent is a hash over the last decisions.
func (t *Trace) recent() uint64 {
	h := uint64(offset)
	for i := range t.last {
		h = (h ^ t.last[(t.Decisions+i)%len(t.last)]) * 1099511628211
	}
	return h
}

// Note writes a line into the log of the run, if there is one.
func (w *World) Note(format string, args ...any) { w.Trace.note(format, args...) }

// Coverage is what runs have come through, all together.
type Coverage struct {
	Hits  map[string]int                 // by fault or place
	Paths map[string]map[uint64]struct{} // by place: the ways that led there, the last decisions of each
}

// NewCoverage is empty.
func NewCoverage() *Coverage {
	return &Coverage{Hits: make(map[string]int), Paths: make(map[string]map[uint64]struct{})}
}

func (c *Coverage) hit(what string) { c.Hits[what]++ }

// Reach counts that the run has come to a place, and by which way.
func (w *World) Reach(place string) {
	c := w.Coverage
	c.hit(place)
	if c.Paths[place] == nil {
		c.Paths[place] = make(map[uint64]struct{})
	}
	c.Paths[place][w.Trace.recent()] = struct{}{}
}
