package collect

import (
	"fmt"
	"math"

	"parallax.example/internal/event"
	"parallax.example/internal/failpoint"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/latency"
	"parallax.example/services/reporter/report"
)

// maxFaults bounds the faults kept; the rest is only counted.
const maxFaults = 10_000

// State is what the stream has said so far. It knows nothing of Kafka, so that
// tests can feed it; it is not safe for concurrent use.
type State struct {
	views    map[string]*viewState
	ordered  []*viewState         // as in views.yaml
	rows     map[result.Cell]*row // by cell without its end, as the topic's keys are: an open session's grows
	final    map[result.Cell]compare.Final
	excluded []compare.Exclusion
	dead     []compare.Dead
	faults   []disorder
	more     int // faults beyond maxFaults
	texts    map[string]string

	resets  []compare.Reset
	resumed []compare.Resumption
	changed map[string]bool    // names of views whose definition the markers say was changed
	rebuilt map[part]int64     // up to which offset
	late    map[placement]bool // late ones in rebuilt views

	duplicates, stale uint64
	watermarks        map[int32]int64

	finals, updates *latency.Recorder
	firstRow        int64 // arrival of the first row and of the last final one, ms; 0: not measured
	lastFinal       int64
}

// disorder is a row that should not follow another one, by the offsets that
// caused them. A marker may come later and say that it was told again.
type disorder struct {
	report.Fault
	partition  int32
	last, next int64
}

// row is the latest row of a cell, without what it says.
type row struct {
	end         int64
	offset      int64
	transaction uint64
	ordinal     uint32
	stage       result.Stage
}

// viewState is the running total of one view's final rows.
type viewState struct {
	View    *view.View
	Stages  report.Stages
	Total   result.Plain
	Late    result.Plain           // late placements
	Windows map[int64]result.Plain // by start, over all keys
}

// NewState makes an empty state for the views of f.
func NewState(f *view.File) *State {
	s := &State{
		views:      map[string]*viewState{},
		rows:       map[result.Cell]*row{},
		final:      map[result.Cell]compare.Final{},
		texts:      map[string]string{},
		changed:    map[string]bool{},
		rebuilt:    map[part]int64{},
		late:       map[placement]bool{},
		watermarks: map[int32]int64{},
		finals:     newLatency("final rows", "that closed the window"),
		updates:    newLatency("updates", "that changed the row"),
	}
	for i := range f.Views {
		v := &f.Views[i]
		one := &viewState{View: v, Windows: map[int64]result.Plain{}}
		s.views[v.ID()] = one
		s.ordered = append(s.ordered, one)
	}
	return s
}

func newLatency(name, which string) *latency.Recorder {
	return latency.New(name,
		"the moment at which the event "+which+" was scheduled to be sent",
		"the moment at which a reader of committed records had the row")
}

// shared returns b as a string, the same memory for equal ones.
func (s *State) shared(b []byte) string {
	t, ok := s.texts[string(b)]
	if !ok {
		t = string(b)
		s.texts[t] = t
	}
	return t
}

// unmeasured as an arrival says that the record was there before the reader.
const unmeasured = 0

// Result takes one message of parallax.results in. arrival is the wall clock in
// ms when a reader had it, or 0.
func (s *State) Result(b []byte, arrival int64) error {
	var r result.Result
	if err := r.Decode(b); err != nil {
		return err
	}
	v := s.views[string(r.View)]
	if v == nil {
		return s.stranger("the stream's results answer", r.View)
	}
	s.advance(r.Place.Partition, r.Watermark)
	cell := result.Cell{View: v.View.ID(), Key: s.shared(r.Key), Span: r.Span, Partition: r.Place.Partition}
	if !s.follows(v, cell, &r, arrival) {
		return nil
	}
	v.count(r.Stage)
	if r.Stage == result.Final {
		if last, twice := s.final[cell]; twice { // which is a fault, or a second rebuild
			v.uncount(cell, last.Agg.Plain)
		}
		s.final[cell] = compare.Final{Agg: r.Agg, Offset: r.Place.Offset, Watermark: r.Watermark}
		v.Total.Merge(r.Agg.Plain)
		at := report.Slot(v.View.Window, cell.Span.Start)
		w := v.Windows[at]
		w.Merge(r.Agg.Plain)
		v.Windows[at] = w
	}
	if arrival != unmeasured {
		if s.firstRow == 0 {
			s.firstRow = arrival
		}
		recorder := s.updates
		if r.Stage == result.Final {
			recorder, s.lastFinal = s.finals, arrival
		}
		recorder.Record(arrival - r.Place.Scheduled)
	}
	return nil
}

// follows holds a row against the one before it and notes it; what is out of
// order is a fault. It reports whether the row is to be taken in.
func (s *State) follows(v *viewState, cell result.Cell, r *result.Result, arrival int64) bool {
	key := cell
	key.Span.End = 0
	session := v.View.Window.Kind == view.Session
	next := row{end: cell.Span.End, offset: r.Place.Offset, transaction: r.Place.Transaction, ordinal: r.Place.Ordinal, stage: r.Stage}
	last, known := s.rows[key]
	switch {
	case !session && r.Stage == result.Retracted:
		s.fault(v.View, cell, row{offset: -1}, next, "a row of a view without sessions is retracted: "+next.String())
		return false
	case !known:
		// Of what lay there before the collector, compaction drops older rows.
		if r.Stage == result.Retracted && arrival != unmeasured {
			s.fault(v.View, cell, row{offset: -1}, next, "what was never told is retracted: "+next.String())
		}
		last = &row{}
		s.rows[key] = last
	case next.transaction > last.transaction && next.offset <= last.offset && s.rebuilds(cell.View, cell.Partition, last.offset):
		// Computed once more: its rows begin again.
	case next.offset < last.offset || next.transaction < last.transaction || next.transaction == last.transaction && next.ordinal <= last.ordinal:
		s.fault(v.View, cell, *last, next, fmt.Sprintf("%s follows %s", next, last))
	case last.stage == result.Final || last.stage == result.Retracted:
		s.fault(v.View, cell, *last, next, fmt.Sprintf("%s follows %s", next, last))
		if r.Stage != result.Final {
			return false
		}
	case session && r.Stage != result.Retracted && next.end < last.end:
		s.fault(v.View, cell, *last, next, fmt.Sprintf("%s ends before %s", next, last))
	}
	*last = next
	return true
}

func (r row) String() string {
	return fmt.Sprintf("the %s row of offset %d, transaction %d.%d", r.stage, r.offset, r.transaction, r.ordinal)
}

func (v *viewState) count(s result.Stage) {
	switch s {
	case result.Early:
		v.Stages.Early++
	case result.OnTime:
		v.Stages.OnTime++
	case result.Final:
		v.Stages.Final++
	case result.Retracted:
		v.Stages.Retracted++
	}
}

// uncount takes a final row out of the totals when another one replaces it.
// Minimum and maximum of the totals may then be stale.
func (v *viewState) uncount(cell result.Cell, row result.Plain) {
	v.Stages.Final--
	take := func(from result.Plain) result.Plain {
		low := from.SumLow - row.SumLow
		borrow := int64(0)
		if from.SumLow < row.SumLow {
			borrow = 1
		}
		from.Count -= row.Count
		from.SumLow, from.SumHigh = low, from.SumHigh-row.SumHigh-borrow
		return from
	}
	at := report.Slot(v.View.Window, cell.Span.Start)
	v.Total, v.Windows[at] = take(v.Total), take(v.Windows[at])
}

// Exclusion takes one message of parallax.excluded in.
func (s *State) Exclusion(b []byte) error {
	var x result.Exclusion
	if err := x.Decode(b); err != nil {
		return err
	}
	var r event.Record
	if err := r.Decode(x.Event); err != nil {
		return fmt.Errorf("cannot decode exclusion: what it says was at %d/%d is no event: %w", x.Place.Partition, x.Place.Offset, err)
	}
	if r.Kind != event.KindEvent {
		return fmt.Errorf("cannot decode exclusion: what it says was at %d/%d is punctuation", x.Place.Partition, x.Place.Offset)
	}
	s.advance(x.Place.Partition, x.Watermark)
	if x.Cause == result.Late && s.views[string(x.View)] == nil {
		return s.stranger("the stream left out events of", x.View)
	}
	if x.Cause == result.Late && s.rebuilds(string(x.View), x.Place.Partition, x.Place.Offset) {
		one := placement{part{s.shared(x.View), x.Place.Partition}, x.Place.Offset, x.Span}
		if s.late[one] {
			return nil
		}
		s.late[one] = true
	}
	e := &r.Event
	s.excluded = append(s.excluded, compare.Exclusion{
		Event: compare.Event{
			Partition: x.Place.Partition, Offset: x.Place.Offset,
			Producer: s.shared(e.Producer), Seq: e.Seq, HasID: e.HasID,
			Key: s.shared(e.Key), Subject: s.shared(e.Subject), Time: e.Time, Value: e.Value,
		},
		Cause: x.Cause, View: s.shared(x.View), Span: x.Span, Watermark: x.Watermark,
	})
	switch x.Cause {
	case result.Duplicate:
		s.duplicates++
	case result.Stale:
		s.stale++
	case result.Late:
		s.views[string(x.View)].Late.Add(e.Value)
	}
	return nil
}

// DeadLetter takes one message of parallax.dead-letters in.
func (s *State) DeadLetter(b []byte) error {
	var d result.DeadLetter
	if err := d.Decode(b); err != nil {
		return err
	}
	s.dead = append(s.dead, compare.Dead{Partition: d.Place.Partition, Offset: d.Place.Offset, Reason: s.shared([]byte(d.Reason))})
	return nil
}

// advance notes a watermark; before anything is believed, it is the least int64.
func (s *State) advance(partition int32, watermark int64) {
	if watermark == math.MinInt64 {
		return
	}
	if last, ok := s.watermarks[partition]; !ok || watermark > last {
		s.watermarks[partition] = watermark
	}
}

func (s *State) fault(v *view.View, c result.Cell, last, next row, what string) {
	d := disorder{partition: c.Partition, last: last.offset, next: next.offset}
	if s.repeats(d) || failpoint.Mutant("reporter/order-unchecked") {
		return
	}
	if len(s.faults) == maxFaults {
		s.more++
		return
	}
	start, end, partition := report.Time(c.Span.Start), report.Time(c.Span.End), c.Partition
	d.Fault = report.Fault{Check: "stream-order", What: what,
		View: v.Name, Key: c.Key, Start: &start, End: &end, Partition: &partition}
	s.faults = append(s.faults, d)
}

// disorders are the faults that no marker has explained by now.
func (s *State) disorders() (list []report.Fault) {
	for _, d := range s.faults {
		if !s.repeats(d) {
			list = append(list, d.Fault)
		}
	}
	return list
}

// Stream returns what the comparison needs. The lists are the state's own:
// take nothing more in while they are in use.
func (s *State) Stream() compare.Stream {
	out := compare.Stream{Final: s.final, Exclusions: s.excluded, Dead: s.dead, Stages: map[string]report.Stages{}, Resets: s.resets, Resumed: s.resumed, Faults: s.disorders()}
	for id, v := range s.views {
		out.Stages[id] = v.Stages
	}
	if s.more > 0 {
		out.Faults = append(out.Faults, report.Fault{Check: "stream-order", What: fmt.Sprintf("%d more breaches of the order of rows", s.more)})
	}
	return out
}

// Timing is when the stream's answer could be read.
type Timing struct {
	Latencies []report.Latency // of final rows, of updates
	// FirstRow and LastFinal are the wall clock in ms when a reader had the
	// first row of all and the last final one; 0 if that was not seen live.
	FirstRow, LastFinal int64
}

// Timing returns what was measured.
func (s *State) Timing() Timing {
	return Timing{Latencies: []report.Latency{s.finals.Report(), s.updates.Report()}, FirstRow: s.firstRow, LastFinal: s.lastFinal}
}
