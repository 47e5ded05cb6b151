package collect

import (
	"fmt"
	"math"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// row is the latest row of a cell, without what it says.
type row struct {
	end         int64
	offset      int64
	transaction uint64
	ordinal     uint32
	stage       result.Stage
}

// follows holds a row against the one before it and notes it; what is out of
// order is a fault. It reports whether the row is to be taken in.
func (s *State) follows(v *viewState, cell result.Cell, r *result.Result, arrival int64) bool {
	key := cell
	key.Span.End = 0
	session := v.View.Window.Kind == view.Session
	next := row{end: cell.Span.End, offset: r.Place.Offset, transaction: r.Place.Transaction, ordinal: r.Place.Ordinal, stage: r.Stage}
	last, known := s.rows[key]
	fault := func(last row, what string) { s.fault(disorder{v.View, cell, last, next, what}) }
	switch {
	case !session && r.Stage == result.Retracted:
		fault(untold, "a row of a view without sessions is retracted: "+next.String())
		return false
	case !known:
		// Of what lay there before the collector, compaction drops older rows.
		if r.Stage == result.Retracted && arrival != unmeasured {
			fault(untold, "what was never told is retracted: "+next.String())
		}
		last = &row{}
		s.rows[key] = last
	case next.again(last):
		// Computed once more, if a marker says so: its rows begin again.
		fault(*last, "")
	case next.offset < last.offset || next.transaction < last.transaction || next.transaction == last.transaction && next.ordinal <= last.ordinal:
		fault(*last, "")
	case last.over():
		fault(*last, "")
		if r.Stage != result.Final {
			return false
		}
	case session && r.Stage != result.Retracted && next.end < last.end:
		fault(*last, fmt.Sprintf("%s ends before %s", next, last))
	}
	*last = next
	return true
}

// untold stands for the row before the first one; no marker explains what follows it.
var untold = row{offset: -1, transaction: math.MaxUint64}

// over says that nothing may follow the row.
func (r *row) over() bool { return r.stage == result.Final || r.stage == result.Retracted }

// again says that r, in a later transaction, goes back behind the row before it.
func (r *row) again(last *row) bool {
	return r.transaction > last.transaction && (r.offset < last.offset || r.offset == last.offset && last.over())
}

func (r row) String() string {
	return fmt.Sprintf("the %s row of offset %d, transaction %d.%d", r.stage, r.offset, r.transaction, r.ordinal)
}

// maxFaults bounds the faults kept that no rebuild could explain; the rest is
// only counted.
const maxFaults = 10_000

// disorder is a row that should not follow another one. A marker may come later
// and say that it was told again.
type disorder struct {
	view       *view.View
	cell       result.Cell
	last, next row
	what       string
}

func (s *State) fault(d disorder) {
	if s.explains(d) || failpoint.Mutant("reporter/order-unchecked") {
		return
	}
	if len(s.faults) >= maxFaults && !d.next.again(&d.last) {
		s.more++
		return
	}
	s.faults = append(s.faults, d)
}

// explains says whether a marker that has come by now explains a disorder.
func (s *State) explains(d disorder) bool {
	return s.repeats(d) || d.next.again(&d.last) && s.rebuilds(d.cell.View, d.cell.Partition, d.last.offset)
}

// disorders are the faults that no marker has explained by now.
func (s *State) disorders() (list []report.Fault) {
	for _, d := range s.faults {
		if s.explains(d) {
			continue
		}
		start, end, partition := report.Time(d.cell.Span.Start), report.Time(d.cell.Span.End), d.cell.Partition
		what := d.what
		if what == "" {
			what = fmt.Sprintf("%s follows %s", d.next, d.last)
		}
		list = append(list, report.Fault{Check: "stream-order", What: what,
			View: d.view.Name, Key: d.cell.Key, Start: &start, End: &end, Partition: &partition})
	}
	return list
}
