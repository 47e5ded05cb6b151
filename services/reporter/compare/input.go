package compare

import (
	"cmp"
	"fmt"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// Input is everything one comparison looks at.
type Input struct {
	Views *view.File
	// Cut has one entry per partition, with the batch's counts and watermark.
	Cut    []report.Partition
	Ledger []Entry
	Log    []Event // every event of the lake below the cut, copies and all
	Dead   []Dead  // the dead letters of the lake below the cut
	// Advances is asked for where the stream has left input out.
	Advances []Advance
	Stream   Stream
	Batch    Batch
}

// Kind is what the generator did when it made an entry.
type Kind uint8

// The kinds of entries.
const (
	Sent        Kind = iota // an event, for the first time
	Copied                  // a copy of an event, on purpose
	Spoiled                 // bytes that are no event, on purpose
	Punctuation             //
)

// Outcome is what Kafka answered.
type Outcome uint8

// The outcomes.
const (
	Unknown Outcome = iota
	OK
	Failed
)

// Entry is one intent of the ledger with its last outcome.
type Entry struct {
	Kind      Kind
	Outcome   Outcome
	Partition int32  // of the outcome when OK, of the intent otherwise
	Offset    int64  // when OK; −1: stored, place not told
	Resent    uint32 // how often a restart sent it again
	Value     []byte // exactly as sent
}

// Event is one event of the log. Equal strings should share their memory.
type Event struct {
	Partition int32
	Offset    int64
	Producer  string
	Seq       uint64
	HasID     bool
	Key       string
	Subject   string
	Time      int64 // µs UTC
	Value     int64
}

// Dead is a message of the log that is no event.
type Dead struct {
	Partition   int32
	Offset      int64
	Reason      string
	Transaction uint64 // in which the stream told it; 0 of the lake
}

// Stream is what the processor committed. What it says of offsets at or after
// the cut is left aside.
type Stream struct {
	Final      map[result.Cell]Final
	Exclusions []Exclusion
	Dead       []Dead
	Stages     map[string]report.Stages // by view.View.ID
	Resets     []Reset
	Resumed    []Resumption // in the order in which they were told
	// Faults are what reading the stream's topics has already found wrong.
	Faults []report.Fault
}

// Reset says that the stream began to count a view anew, from an offset of a
// partition on: of what lies before it knows nothing.
type Reset struct {
	View      string // view.View.ID
	Partition int32
	Offset    int64
}

// Final is a final row of the stream.
type Final struct {
	Agg       result.Agg
	Offset    int64 // of the record that closed the window
	Watermark int64 // µs UTC, when it was made
	Again     int   // how often the cell's final row was told before
}

// Exclusion is an event, or one placement of it, that the stream did not count.
type Exclusion struct {
	Event
	Cause     result.Cause
	View      string    // of a late placement
	Span      view.Span // of a late placement
	Watermark int64     // µs UTC, at the decision

	Transaction uint64 // in which it was told
}

// Batch is the batch's output on the cut.
type Batch struct {
	A, B       map[result.Cell]Row
	Judgements []Judgement // by the rule of A
}

// Row is a row of the batch.
type Row struct {
	result.Agg
	Closed bool // its window is closed at the cut; open rows are not compared
}

// Judgement is an exclusion as the batch computed it.
type Judgement struct {
	Partition int32
	Offset    int64
	Cause     result.Cause
	View      string
	Span      view.Span
}

func (j Judgement) compare(k Judgement) int {
	return cmp.Or(cmp.Compare(j.Partition, k.Partition), cmp.Compare(j.Offset, k.Offset), cmp.Compare(j.Cause, k.Cause),
		cmp.Compare(j.View, k.View), cmp.Compare(j.Span.Start, k.Span.Start), cmp.Compare(j.Span.End, k.Span.End))
}

func (x *Exclusion) judgement() Judgement {
	return Judgement{Partition: x.Partition, Offset: x.Offset, Cause: x.Cause, View: x.View, Span: x.Span}
}

// Refusal says why nothing could be compared, and what to do about it.
type Refusal struct {
	Reason string
	Advice string
}

func (e *Refusal) Error() string { return "cannot compare: " + e.Reason }

func refuse(advice, format string, args ...any) error {
	return &Refusal{Reason: fmt.Sprintf(format, args...), Advice: advice}
}

// prepare puts the lists in order, drops what lies beyond the cut, and refuses
// what belongs to another question or another log.
func (c *comparison) prepare() error {
	in := c.in
	if len(in.Cut) == 0 {
		return refuse("Run the ingest first, then compare.", "the cut names no partition")
	}
	if len(in.Ledger) == 0 && len(in.Log) > 0 {
		return refuse("Name the ledger that the generator of this run has written.", "the ledger holds no message and the log holds %d events, so nobody knows what was really sent", len(in.Log))
	}
	for i := range in.Views.Views {
		c.views[in.Views.Views[i].ID()] = &in.Views.Views[i]
	}
	for i := range in.Cut {
		p := &in.Cut[i]
		if c.cut[p.Partition] != nil {
			return refuse("Check the manifests.", "the cut names partition %d twice", p.Partition)
		}
		c.cut[p.Partition] = p
	}
	for cell := range in.Stream.Final {
		if err := c.known("the stream's results", cell); err != nil {
			return err
		}
	}
	for cell := range in.Batch.A {
		if err := c.known("the batch's reading A", cell); err != nil {
			return err
		}
	}
	for cell := range in.Batch.B {
		if err := c.known("the batch's reading B", cell); err != nil {
			return err
		}
	}
	for i := range in.Log {
		if e := &in.Log[i]; !c.below(e.Partition, e.Offset) {
			return refuse("Run the batch and the comparison on the same cut.", "the lake's event at %d/%d lies outside the cut", e.Partition, e.Offset)
		}
	}
	place := func(a, b *Event) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	}
	if !slices.IsSortedFunc(in.Log, func(a, b Event) int { return place(&a, &b) }) {
		slices.SortFunc(in.Log, func(a, b Event) int { return place(&a, &b) })
	}
	return nil
}

func (c *comparison) known(who string, cell result.Cell) error {
	if c.views[cell.View] == nil {
		return refuse("Compare with the views.yaml that the stream and the batch ran with, or run both again with this one.",
			"%s answer the view %q, which is not in this views.yaml", who, cell.View)
	}
	if c.cut[cell.Partition] == nil {
		return refuse("Run the ingest and the batch again.", "%s hold partition %d, which the cut does not name", who, cell.Partition)
	}
	return nil
}

// below reports whether a place is part of the comparison.
func (c *comparison) below(partition int32, offset int64) bool {
	p := c.cut[partition]
	return p != nil && offset < p.End
}

// closed reports whether the batch says that the cell is closed at the cut.
func (c *comparison) closed(cell result.Cell) bool {
	return c.views[cell.View].Closed(cell.Span.End, int64(c.cut[cell.Partition].Watermark))
}

// at returns the log's event at a place, or nil. It needs the sorted log.
func (c *comparison) at(partition int32, offset int64) *Event {
	i, found := slices.BinarySearchFunc(c.in.Log, Event{Partition: partition, Offset: offset}, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	if !found {
		return nil
	}
	return &c.in.Log[i]
}
