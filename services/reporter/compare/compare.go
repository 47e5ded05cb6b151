package compare

import (
	"fmt"
	"iter"
	"slices"
	"strconv"

	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// maxExamples bounds the events named for one cause of one cell, and maxBroken
// the keys named for one identity.
const (
	maxExamples = 5
	maxBroken   = 10
)

// Run compares, and fills the parts of r that speak of the comparison: Cut,
// Ledger, Records, Identities, Views, Causes, Differences, Faults. It returns
// every cell below the cut, in the order of result.Cell. The error is a
// *Refusal: there was nothing to compare. The lists of in may be put in order.
func Run(in *Input, r *report.Report) ([]report.Cell, error) {
	c := &comparison{
		in:      in,
		r:       r,
		views:   map[string]*view.View{},
		cut:     map[int32]*report.Partition{},
		cells:   map[result.Cell]*cell{},
		names:   map[string]string{},
		extents: map[sessionKey][]extent{},
		kept:    kept{},
		lost:    map[int32]*loss{},
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	for _, f := range in.Stream.Faults {
		c.fault(f)
	}
	c.records()
	c.truth()
	c.resets()
	c.losses()
	c.exclusions()
	c.deadLetters()
	c.rows()
	cells := c.verdicts()
	c.tellDamage()
	c.finish()
	return cells, nil
}

// comparison is the work on one Input.
type comparison struct {
	in    *Input
	r     *report.Report
	views map[string]*view.View
	cut   map[int32]*report.Partition
	cells map[result.Cell]*cell
	names map[string]string // texts of the ledger, each once

	log     []class                 // what each event of the log is; parallel to in.Log
	extents map[sessionKey][]extent // of the groups of session views, by start
	faults  []finding

	// Of a stream without exactly once; see damage.go and loss.go.
	kept      kept
	lost      map[int32]*loss // by partition
	judged    []Judgement     // the batch's, in order
	rowsTwice uint64          // final rows that were told again
	toldTwice uint64          // exclusions and dead letters that were told again, or only when their event came again
	notTold   uint64          // those that the stream did not come to tell
	otherwise uint64          // those in which it differs from the batch, as it had to after a loss
}

// finding is a fault, and the cell it is about if that is all it is about.
type finding struct {
	report.Fault
	cell *cell
}

func (c *comparison) fault(f report.Fault) { c.faults = append(c.faults, finding{Fault: f}) }

// faultIn names one cell in a fault, which counts unless the cell is partial.
func (c *comparison) faultIn(name result.Cell, f report.Fault) {
	x := c.cell(name)
	x.wrong = true
	c.faults = append(c.faults, finding{c.inCell(name, f), x})
}

// cell gathers what is known of one cell. In a session view the interval of a
// single event is one too, without any side, to carry what is said of the event.
type cell struct {
	name                result.Cell
	truth, stream, a, b *result.Agg // nil without a row; most are the same one
	why                 *why        // nil without a cause
	wrong               bool        // a fault names it
	partial             bool        // it holds an event from before a reset of its view
	doubts              []doubt     // events that may be counted twice, or not at all

	// Once it is judged:
	verdict string // empty: nothing to show
	group   *report.Span
}

// share returns a row of the cell that is equal to a, or a new one. There are
// millions of cells, and four equal rows in most.
func (x *cell) share(a result.Agg) *result.Agg {
	for _, row := range [...]*result.Agg{x.truth, x.stream, x.a, x.b} {
		if row != nil && *row == a {
			return row
		}
	}
	row := new(result.Agg)
	*row = a
	return row
}

// same reports whether both are no row, or equal ones: the canonical bytes of a
// row hold the same fields.
func same(a, b *result.Agg) bool { return a == b || a != nil && b != nil && *a == *b }

// plain is the part of a row that needs no sketch, empty without a row.
func plain(a *result.Agg) result.Plain {
	if a == nil {
		return result.Plain{}
	}
	return a.Plain
}

func figures(a *result.Agg) *report.Figures {
	if a == nil {
		return nil
	}
	f := report.NewFigures(*a)
	return &f
}

// why lists the events behind a cell's differences.
type why struct {
	late      []*Event
	split     bool
	since     []int64 // of each late event: from its window's close to the watermark at the decision, µs
	stale     []*Event
	foreign   []*Event
	elsewhere []*Event
	lost      []*Event // as the ledger tells them; Offset as acknowledged
	again     []*Event // counted once more
	skipped   []*Event // not counted
	admitted  []*Event // counted after a loss, and not by A
	refused   []*Event // left out after a loss, and not by A
	unclosed  []*Event // in a window that is still open after a loss
}

func (c *comparison) cell(name result.Cell) *cell {
	x := c.cells[name]
	if x == nil {
		x = &cell{name: name}
		c.cells[name] = x
	}
	return x
}

func (c *comparison) why(name result.Cell) *why {
	x := c.cell(name)
	if x.why == nil {
		x.why = &why{}
	}
	return x.why
}

// placements are the cells that an event enters, over all views.
func (c *comparison) placements(e *Event) iter.Seq[result.Cell] {
	return func(yield func(result.Cell) bool) {
		for i := range c.in.Views.Views {
			v := &c.in.Views.Views[i]
			first, last, step, size := laid(v.Window, e.Time)
			for start := first; start <= last; start += step {
				span := view.Span{Start: start, End: start + size}
				if !yield(result.Cell{View: v.ID(), Key: e.Key, Span: span, Partition: e.Partition}) {
					return
				}
			}
		}
	}
}

// laid are the windows over a time: from the start first to last in steps, all
// of one size. In a session view it is the interval that an event at t holds.
func laid(w view.Window, t int64) (first, last, step, size int64) {
	if w.Kind == view.Session {
		return t, t, w.Gap, w.Gap
	}
	first, last = w.Starts(t)
	return first, last, w.Hop, w.Size
}

// blame names every cell of an event in a fault of its own, so that the reader
// of one cell finds it.
func (c *comparison) blame(e *Event, check, what string) {
	c.fault(c.inCell(c.firstCell(e), report.Fault{Check: check, What: what, Events: []report.EventRef{ref(e)}}))
	for name := range c.placements(e) {
		c.cell(name).wrong = true
	}
}

func (c *comparison) firstCell(e *Event) result.Cell {
	for name := range c.placements(e) {
		return name
	}
	return result.Cell{}
}

// resets marks the cells with an event from before their view was counted anew.
func (c *comparison) resets() {
	type counted struct {
		view      string
		partition int32
	}
	from := map[counted]int64{}
	for _, r := range c.in.Stream.Resets {
		at := counted{r.View, r.Partition}
		from[at] = max(from[at], r.Offset)
	}
	if len(from) == 0 {
		return
	}
	for i := range c.in.Log {
		e := &c.in.Log[i]
		for name := range c.placements(e) {
			if e.Offset < from[counted{name.View, name.Partition}] {
				c.cell(name).partial = true
			}
		}
	}
}

// inCell completes a fault with the cell's name.
func (c *comparison) inCell(name result.Cell, f report.Fault) report.Fault {
	v := c.views[name.View]
	if v == nil {
		return f
	}
	start, end, partition := report.Time(name.Span.Start), report.Time(name.Span.End), name.Partition
	f.View, f.Key, f.Start, f.End, f.Partition = v.Name, name.Key, &start, &end, &partition
	return f
}

func ref(e *Event) report.EventRef {
	return report.EventRef{ID: e.name(), Partition: e.Partition, Offset: e.Offset, Time: report.Time(e.Time), Value: e.Value}
}

// name is the identity for a reader, empty without one.
func (e *Event) name() string {
	if !e.HasID {
		return ""
	}
	return e.Producer + "/" + strconv.FormatUint(e.Seq, 10)
}

// called is how a sentence speaks of the event.
func (e *Event) called() string {
	place := strconv.Itoa(int(e.Partition)) + "/" + strconv.FormatInt(e.Offset, 10)
	if e.HasID {
		return e.name() + " at " + place
	}
	return "without an id at " + place
}

// content is what the event says, for a sentence.
func (e *Event) content() string {
	return fmt.Sprintf("key %q, subject %q, time %s, value %d", e.Key, e.Subject, report.Time(e.Time), e.Value)
}

// sameFact reports whether two events say the same, wherever they lie.
func (e *Event) sameFact(f *Event) bool {
	return e.HasID == f.HasID && e.Producer == f.Producer && e.Seq == f.Seq && e.Key == f.Key && e.Subject == f.Subject && e.Time == f.Time && e.Value == f.Value
}

func (c *comparison) finish() {
	c.faults = slices.DeleteFunc(c.faults, func(f finding) bool { return f.cell != nil && f.cell.partial })
	slices.SortStableFunc(c.faults, func(a, b finding) int { return severity(a.Check) - severity(b.Check) })
	c.r.Faults.Total = len(c.faults)
	c.r.Faults.Listed = []report.Fault{}
	for _, f := range c.faults[:min(len(c.faults), report.MaxListed)] {
		c.r.Faults.Listed = append(c.r.Faults.Listed, f.Fault)
	}
}

// severity puts what names a cell and two rows before what follows from it.
func severity(check string) int {
	switch check {
	case checkStream, checkMerge, checkTruth:
		return 0
	case checkIdentity:
		return 2
	}
	return 1
}

// The checks, as report.Fault.Check names them.
const (
	checkStream     = "stream-a"
	checkMerge      = "a-b"
	checkTruth      = "truth-b"
	checkExclusions = "exclusions"
	checkDead       = "dead-letters"
	checkLedger     = "ledger-log"
	checkIdentity   = "identity"
)
