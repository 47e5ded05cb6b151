// Package view is the contract on questions: which windows, which lateness,
// which aggregates, and by which rules of time. Stream, batch and truth all
// answer the same views.yaml.
//
// The package is pure and holds no answer: it knows which windows exist, not
// what falls into them late. Parse reports every fault of a file at once.
package view

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Horizon is how far below its producer's largest seq (of one partition) an
// event's seq may lie before the stream calls it stale instead of looking for
// a duplicate.
const Horizon = 1 << 20

// File is a parsed views.yaml.
type File struct {
	Time  Time
	Views []View
}

// Time holds the rules of time that all views of a file share.
type Time struct {
	// An event time is believed once Count of the last Of valid events of its
	// partition have reached it: 1 ≤ Count ≤ Of.
	Count, Of int
	// Lag is subtracted from the believed time to give the watermark, in µs.
	Lag int64
	// Senders may send punctuation; sorted.
	Senders []string
}

// Accepts reports whether punctuation from sender counts.
func (t *Time) Accepts(sender []byte) bool {
	for _, s := range t.Senders {
		if s == string(sender) {
			return true
		}
	}
	return false
}

// View is one question, asked of every key.
type View struct {
	Name       string
	Window     Window
	Lateness   int64 // allowed lateness, µs
	Aggregates []Aggregate
	// FinalOnly leaves out the rows of windows that are still open. It changes no
	// answer and is no part of the identity.
	FinalOnly bool
	id        string
}

// ID is the view's identity: its name, '@' and 16 hexadecimal digits of the
// hash of its definition and of the rules of time it is asked under.
func (v *View) ID() string { return v.id }

// AsksQuantiles reports whether a row of the view needs a histogram of the values.
func (v *View) AsksQuantiles() bool { return v.asks(P50) || v.asks(P95) || v.asks(P99) }

// AsksDistinct reports whether a row of the view needs a sketch of the subjects.
func (v *View) AsksDistinct() bool { return v.asks(Distinct) }

func (v *View) asks(a Aggregate) bool { return slices.Contains(v.Aggregates, a) }

// Closed reports whether a window with this end is closed at a watermark
// (both µs UTC): it takes no event any more and its row is final.
func (v *View) Closed(end, watermark int64) bool { return end+v.Lateness <= watermark }

// Kind of a window.
type Kind uint8

// The kinds of windows.
const (
	Tumbling Kind = iota + 1
	Hopping
	Session
)

func (k Kind) String() string {
	switch k {
	case Tumbling:
		return "tumbling"
	case Hopping:
		return "hopping"
	case Session:
		return "session"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Window says how a view cuts time, in µs.
//
// Tumbling and hopping windows are [start, start+Size) for every start that is a
// multiple of Hop since the epoch. Tumbling ones have Hop = Size; Hop always
// divides Size.
//
// Sessions are made by the events of a key: an event at t holds [t, t+Gap), and
// intervals that overlap are one session. Size and Hop are 0.
type Window struct {
	Kind Kind
	Size int64
	Hop  int64
	Gap  int64
}

// Starts returns the first and the last start of the windows that hold t; the
// others lie between them in steps of w.Hop. Size/Hop windows in all. Not for
// sessions, whose windows depend on other events.
func (w Window) Starts(t int64) (first, last int64) {
	last = floor(t, w.Hop)
	return last - w.Size + w.Hop, last
}

// floor is the largest multiple of step not above t, also before the epoch.
func floor(t, step int64) int64 {
	m := t % step
	if m < 0 {
		m += step
	}
	return t - m
}

// Span is one window: [Start, End) in µs UTC.
type Span struct{ Start, End int64 }

func (s Span) String() string {
	return time.UnixMicro(s.Start).UTC().Format("2006-01-02T15:04:05.999999Z07:00") + "/" +
		time.UnixMicro(s.End).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

// Aggregate names a figure that a view shows of a row.
type Aggregate string

// The aggregates.
const (
	Count Aggregate = "count"
	Sum   Aggregate = "sum"
	Min   Aggregate = "min"
	Max   Aggregate = "max"
	Mean  Aggregate = "mean"
	// Of the values, within 1 % (sketch.Histogram).
	P50 Aggregate = "p50"
	P95 Aggregate = "p95"
	P99 Aggregate = "p99"
	// How many different subjects, about (sketch.Distinct).
	Distinct Aggregate = "distinct"
)

// Aggregates are all of them, in the order of their columns.
var Aggregates = []Aggregate{Count, Sum, Min, Max, Mean, P50, P95, P99, Distinct}

// Plain are those that a view shows unless it names others: they need no sketch.
var Plain = Aggregates[:5:5]

// seal computes the identity. The text below is hashed, so it may only change
// together with its version word.
func (v *View) seal(t *Time) {
	names := make([]string, len(v.Aggregates))
	for i, a := range v.Aggregates {
		names[i] = string(a)
	}
	size, hop := v.Window.Size, v.Window.Hop
	if v.Window.Kind == Session {
		size = v.Window.Gap
	}
	definition := fmt.Sprintf("parallax-view-1 window=%s size=%d hop=%d lateness=%d aggregates=%s believed=%d/%d lag=%d punctuation=%q horizon=%d",
		v.Window.Kind, size, hop, v.Lateness, strings.Join(names, ","), t.Count, t.Of, t.Lag, t.Senders, Horizon)
	sum := sha256.Sum256([]byte(definition))
	v.id = v.Name + "@" + hex.EncodeToString(sum[:8])
}
