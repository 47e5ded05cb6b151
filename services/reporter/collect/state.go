package collect

import (
	"fmt"
	"math"
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/latency"
	"parallax.example/services/reporter/report"
)

// State is what the stream has said so far. It knows nothing of Kafka, so that
// tests can feed it; it is not safe for concurrent use.
type State struct {
	views    map[string]*viewState
	ordered  []*viewState         // as in views.yaml
	rows     map[result.Cell]*row // by cell without its end, as the topic's keys are: an open session's grows
	final    map[result.Cell]compare.Final
	excluded []compare.Exclusion
	dead     []compare.Dead
	late     map[placement]bool // of excluded
	faults   []disorder
	more     int // faults beyond maxFaults
	texts    map[string]string

	resets     []compare.Reset
	resumed    []compare.Resumption
	changed    map[string]bool // names of views whose definition the markers say was changed
	rebuilding map[part]bool   // begun, and neither finished nor given up
	rebuilt    map[part]int64  // up to which offset

	// What the markers have to explain, see doubts.go.
	strangers map[string]string   // who speaks of the view, by its id
	again     []compare.Exclusion // late placements that were there before

	duplicates, stale uint64
	watermarks        map[int32]int64

	finals, updates *latency.Recorder
	firstRow        int64 // arrival of the first row and of the last final one, ms; 0: not measured
	lastFinal       int64
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
		rebuilding: map[part]bool{},
		rebuilt:    map[part]int64{},
		strangers:  map[string]string{},
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
		s.stranger("the stream's results answer", r.View)
		return nil
	}
	s.advance(r.Place.Partition, r.Watermark)
	cell := result.Cell{View: v.View.ID(), Key: s.shared(r.Key), Span: r.Span, Partition: r.Place.Partition}
	if !s.follows(v, cell, &r, arrival) {
		return nil
	}
	v.count(r.Stage)
	if r.Stage == result.Final {
		final := compare.Final{Agg: r.Agg, Offset: r.Place.Offset, Watermark: r.Watermark}
		if last, twice := s.final[cell]; twice { // which is a fault, a second rebuild, or came of a death
			v.uncount(cell, last.Agg.Plain)
			final.Again = last.Again + 1
		}
		s.final[cell] = final
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
	e := &r.Event
	out := compare.Exclusion{
		Event: compare.Event{
			Partition: x.Place.Partition, Offset: x.Place.Offset,
			Producer: s.shared(e.Producer), Seq: e.Seq, HasID: e.HasID,
			Key: s.shared(e.Key), Subject: s.shared(e.Subject), Time: e.Time, Value: e.Value,
		},
		Cause: x.Cause, View: s.shared(x.View), Span: x.Span, Watermark: x.Watermark, Transaction: x.Place.Transaction,
	}
	switch x.Cause {
	case result.Duplicate:
		s.duplicates++
	case result.Stale:
		s.stale++
	case result.Late:
		v := s.views[out.View]
		if v == nil {
			s.stranger("the stream left out events of", x.View)
			return nil
		}
		one := placement{v, x.Place.Partition, x.Place.Offset, x.Span.Start}
		if s.late[one] {
			if !s.rebuilds(out.View, one.partition, one.offset) {
				s.again = append(s.again, out)
			}
			return nil
		}
		s.late[one] = true
		v.Late.Add(e.Value)
	}
	s.excluded = append(s.excluded, out)
	return nil
}

// DeadLetter takes one message of parallax.dead-letters in.
func (s *State) DeadLetter(b []byte) error {
	var d result.DeadLetter
	if err := d.Decode(b); err != nil {
		return err
	}
	s.dead = append(s.dead, compare.Dead{Partition: d.Place.Partition, Offset: d.Place.Offset, Reason: s.shared([]byte(d.Reason)), Transaction: d.Place.Transaction})
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

// Stream returns what the comparison needs, if Whole has no objection. The lists
// are the state's own: take nothing more in while they are in use.
func (s *State) Stream() compare.Stream {
	out := compare.Stream{Final: s.final, Exclusions: append(slices.Clip(s.excluded), s.doubled()...), Dead: s.dead, Stages: map[string]report.Stages{}, Resets: s.resets, Resumed: s.resumed, Faults: s.disorders()}
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
