package collect_test

import (
	"errors"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/collect"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

const (
	minute = int64(60e6)
	hour   = 60 * minute
)

func views(t *testing.T) *view.File {
	f, err := view.Parse("views.yaml", []byte("views:\n  - name: hourly\n    window: {tumbling: 1h}\n  - name: rushes\n    window: {session: 30m}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func row(f *view.File, stage result.Stage, transaction uint64, value int64) *result.Result {
	r := &result.Result{
		Place: result.Place{Partition: 1, Offset: int64(10 * transaction), Scheduled: 1000, Transaction: transaction},
		View:  []byte(f.Views[0].ID()), Stage: stage, Watermark: 3 * hour,
		Span: view.Span{Start: 0, End: hour}, Key: []byte("ATL"),
	}
	r.Agg.Add(value)
	return r
}

func TestLatestRow(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	for i, r := range []*result.Result{row(f, result.Early, 1, 5), row(f, result.OnTime, 2, 6), row(f, result.Final, 3, 7)} {
		if err := s.Result(r.Append(nil), 1000+int64(i)*10); err != nil {
			t.Fatal(err)
		}
	}
	cell := row(f, result.Final, 3, 7).Cell()
	got := s.Stream()
	if len(got.Faults) != 0 || len(got.Final) != 1 || got.Final[cell].Agg.Max != 7 || got.Final[cell].Offset != 30 {
		t.Errorf("%+v", got)
	}
	snap := s.Snapshot()
	if v := snap.Views[0]; v.Stages != (report.Stages{Early: 1, OnTime: 1, Final: 1}) || v.Total.Count != 1 || len(v.Windows) != 1 || v.Windows[0].Agg.Max != 7 {
		t.Errorf("%+v", v)
	}
	if snap.Watermarks[1] != 3*hour {
		t.Errorf("watermarks %v", snap.Watermarks)
	}
	l := s.Timing().Latencies
	if l[0].Count != 1 || l[0].Highest != 20 || l[1].Count != 2 || l[1].Highest != 10 {
		t.Errorf("%+v", l)
	}
}

func TestOpenRowsAreNoAnswer(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	if err := s.Result(row(f, result.Early, 1, 5).Append(nil), 0); err != nil {
		t.Fatal(err)
	}
	if got := s.Stream(); len(got.Final) != 0 || s.Timing().Latencies[1].Count != 0 {
		t.Errorf("%+v", got)
	}
}

// What breaks the order of a cell's rows is a fault that names the cell.
func TestBreaches(t *testing.T) {
	f := views(t)
	older := row(f, result.OnTime, 5, 5)
	older.Place.Offset = 1
	for name, rows := range map[string][]*result.Result{
		"the final row twice":       {row(f, result.Final, 1, 5), row(f, result.Final, 2, 5)},
		"the same message twice":    {row(f, result.OnTime, 1, 5), row(f, result.OnTime, 1, 5)},
		"an update after the final": {row(f, result.Final, 1, 5), row(f, result.OnTime, 2, 5)},
		"an older transaction":      {row(f, result.OnTime, 4, 5), row(f, result.OnTime, 3, 5)},
		"an older offset":           {row(f, result.OnTime, 4, 5), older},
		"a retracted window":        {row(f, result.Early, 1, 5), retracted(row(f, 0, 2, 0))},
	} {
		s := collect.NewState(f)
		for _, r := range rows {
			if err := s.Result(r.Append(nil), 0); err != nil {
				t.Fatal(err)
			}
		}
		got := s.Stream()
		if len(got.Faults) != 1 || got.Faults[0].Key != "ATL" || *got.Faults[0].Partition != 1 {
			t.Errorf("%s: %+v", name, got.Faults)
		}
		if v := s.Snapshot().Views[0]; v.Stages.Final > 1 || v.Total.Count > 1 {
			t.Errorf("%s: counted %d rows, %d events", name, v.Stages.Final, v.Total.Count)
		}
	}
}

func retracted(r *result.Result) *result.Result {
	r.Stage, r.Agg = result.Retracted, result.Agg{}
	return r
}

// session is a row of the session view from minute to minute.
func session(f *view.File, stage result.Stage, transaction uint64, from, to int64) *result.Result {
	r := row(f, stage, transaction, 5)
	r.View, r.Span = []byte(f.Views[1].ID()), view.Span{Start: from * minute, End: to * minute}
	if stage == result.Retracted {
		return retracted(r)
	}
	return r
}

func feed(t *testing.T, s *collect.State, rows ...*result.Result) {
	t.Helper()
	for _, r := range rows {
		if err := s.Result(r.Append(nil), 1000); err != nil {
			t.Fatal(err)
		}
	}
}

// A session's row is one cell from its start on, however its end grows.
func TestSessions(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	feed(t, s,
		session(f, result.Early, 1, 0, 30), session(f, result.OnTime, 2, 0, 50), session(f, result.Final, 3, 0, 70),
		session(f, result.Early, 4, 100, 130), session(f, result.Retracted, 5, 100, 130), session(f, result.Early, 6, 90, 130),
		session(f, result.Early, 7, 59, 130), session(f, result.Retracted, 8, 90, 130),
		session(f, result.Final, 9, 59, 150))
	got := s.Stream()
	if len(got.Faults) != 0 || len(got.Final) != 2 {
		t.Errorf("%d final rows, faults %+v", len(got.Final), got.Faults)
	}
	v := s.Snapshot().Views[1]
	want := report.Stages{Early: 4, OnTime: 1, Final: 2, Retracted: 2}
	if v.Stages != want || got.Stages[f.Views[1].ID()] != want || v.Total.Count != 2 || len(v.Windows) != 2 || v.Windows[0].Start != 0 {
		t.Errorf("%+v", v)
	}
}

func TestBreachesOfSessions(t *testing.T) {
	f := views(t)
	for name, rows := range map[string][]*result.Result{
		"what was never told is retracted": {session(f, result.Retracted, 1, 0, 30)},
		"it is retracted twice":            {session(f, result.Early, 1, 0, 30), session(f, result.Retracted, 2, 0, 30), session(f, result.Retracted, 3, 0, 30)},
		"a final row is retracted":         {session(f, result.Final, 1, 0, 30), session(f, result.Retracted, 2, 0, 30)},
		"it shrinks":                       {session(f, result.Early, 1, 0, 60), session(f, result.Early, 2, 0, 50)},
		"it is final twice":                {session(f, result.Final, 1, 0, 60), session(f, result.Final, 2, 0, 60)},
		"a start that was retracted":       {session(f, result.Early, 1, 20, 60), session(f, result.Retracted, 2, 20, 60), session(f, result.Early, 3, 20, 60)},
		"another one has its start":        {session(f, result.Final, 1, 0, 60), session(f, result.Final, 2, 0, 90)},
		"an open row after the final one":  {session(f, result.Final, 1, 0, 60), session(f, result.OnTime, 2, 0, 60)},
	} {
		s := collect.NewState(f)
		feed(t, s, rows...)
		if got := s.Stream(); len(got.Faults) != 1 || got.Faults[0].Key != "ATL" || got.Faults[0].View != "rushes" {
			t.Errorf("%s: %+v", name, got.Faults)
		}
	}
}

// Compaction leaves a retraction and drops the rows before it.
func TestRetractionOfWhatWasCompacted(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	if err := s.Result(session(f, result.Retracted, 1, 0, 30).Append(nil), 0); err != nil || len(s.Stream().Faults) != 0 {
		t.Errorf("%v, %+v", err, s.Stream().Faults)
	}
}

func TestExclusionsAndDeadLetters(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	e := event.Event{Producer: []byte("gen"), Seq: 4, HasID: true, Key: []byte("ATL"), Subject: []byte("JFK"), Time: 5, Value: -3}
	x := result.Exclusion{Place: result.Place{Partition: 1, Offset: 9}, Cause: result.Late, View: []byte(f.Views[0].ID()),
		Span: view.Span{End: hour}, Watermark: 4 * hour, Event: event.AppendProto(nil, &e)}
	if err := s.Exclusion(x.Append(nil)); err != nil {
		t.Fatal(err)
	}
	x.Cause = result.Duplicate
	if err := s.Exclusion(x.Append(nil)); err != nil {
		t.Fatal(err)
	}
	d := result.DeadLetter{Place: result.Place{Partition: 2, Offset: 3}, Reason: "empty"}
	if err := s.DeadLetter(d.Append(nil)); err != nil {
		t.Fatal(err)
	}
	got := s.Stream()
	want := compare.Event{Partition: 1, Offset: 9, Producer: "gen", Seq: 4, HasID: true, Key: "ATL", Subject: "JFK", Time: 5, Value: -3}
	if len(got.Exclusions) != 2 || got.Exclusions[0].Event != want || got.Exclusions[0].Span.End != hour {
		t.Errorf("%+v", got.Exclusions)
	}
	if len(got.Dead) != 1 || got.Dead[0] != (compare.Dead{Partition: 2, Offset: 3, Reason: "empty"}) {
		t.Errorf("%+v", got.Dead)
	}
	if snap := s.Snapshot(); snap.Duplicates != 1 || snap.DeadLetters != 1 || snap.Views[0].Late.Count != 1 {
		t.Errorf("%+v", snap)
	}
}

func TestRefusesWhatItCannotRead(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	for _, b := range [][]byte{nil, []byte("{}"), {8, 9}} {
		if s.Result(b, 0) == nil || s.Exclusion(b) == nil || s.DeadLetter(b) == nil {
			t.Errorf("%q was taken", b)
		}
	}
}

// A marker says that a view was changed: rows of its earlier definition are
// passed over then, and the comparison learns from where on it counts.
func TestMarkers(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	id := f.Views[0].ID()
	for _, text := range []string{
		`{"kind":"run-start"}`, `{"kind":"view-rebuilt","view":"` + id + `","partition":0,"offset":5}`,
		`{"kind":"view-dropped","view":"gone@0000000000000000","partition":0,"offset":5}`,
		`{"kind":"view-reset","view":"` + id + `","partition":1,"offset":40}`,
	} {
		if err := s.Marker([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"", "?", `{"kind":"view-reset"}`, `{"kind":"view-reset","view":"a@1","partition":-1}`} {
		if s.Marker([]byte(text)) == nil {
			t.Errorf("%q was taken", text)
		}
	}
	late := result.Exclusion{Place: result.Place{Partition: 1, Offset: 9}, Cause: result.Late, Event: event.AppendProto(nil, &event.Event{Key: []byte("ATL")})}
	for _, earlier := range []string{"hourly@0000000000000000", "gone@0000000000000000"} {
		r := row(f, result.Final, 1, 5)
		r.View, late.View = []byte(earlier), []byte(earlier)
		if err := errors.Join(s.Result(r.Append(nil), 0), s.Exclusion(late.Append(nil))); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(s.Whole(), s.Snapshot().Err); err != nil {
		t.Error(err)
	}
	got := s.Stream()
	want := compare.Reset{View: id, Partition: 1, Offset: 40}
	if len(got.Resets) != 1 || got.Resets[0] != want || len(got.Final)+len(got.Exclusions)+len(got.Faults) != 0 {
		t.Errorf("%+v", got)
	}
}
