package collect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/services/reporter/collect"
	"parallax.example/services/reporter/compare"
)

const otherHourly = "hourly@0000000000000000"

// refused says that err refuses the comparison because of what.
func refused(t *testing.T, err error, what string) {
	t.Helper()
	var refusal *compare.Refusal
	if !errors.As(err, &refusal) || refusal.Advice == "" || !strings.Contains(err.Error(), what) {
		t.Errorf("%v, want a refusal: %s", err, what)
	}
}

// changes is a marker of a view in partition 1.
func changes(kind, view string, offset int) string {
	return fmt.Sprintf(`{"kind":%q,"view":%q,"partition":1,"offset":%d}`, kind, view, offset)
}

// lateAt is the late placement of an event in a row's window.
func lateAt(r *result.Result, offset int64) []byte {
	x := result.Exclusion{Place: result.Place{Partition: r.Place.Partition, Offset: offset, Transaction: r.Place.Transaction}, Cause: result.Late,
		View: r.View, Span: r.Span, Event: event.AppendProto(nil, &event.Event{Key: r.Key})}
	return x.Append(nil)
}

// A view that is not asked for is no answer to it. A marker may explain it: that it
// was changed, or is being rebuilt; and the marker may be read after its rows.
func TestUnknownViewIsJudgedWhenAsked(t *testing.T) {
	f := views(t)
	other := row(f, result.Final, 1, 5)
	other.View = []byte(otherHourly)
	for name, say := range map[string]func(*collect.State) error{
		"the stream's results answer the view":   func(s *collect.State) error { return s.Result(other.Append(nil), 1000) },
		"the stream left out events of the view": func(s *collect.State) error { return s.Exclusion(lateAt(other, 9)) },
	} {
		s := collect.NewState(f)
		if err := say(s); err != nil {
			t.Fatal(err)
		}
		refused(t, s.Whole(), name+` "`+otherHourly+`"`)
		refused(t, s.Snapshot().Err, otherHourly)
		mark(t, s, changes("view-rebuilding", "rushes@0000000000000000", 5))
		refused(t, s.Whole(), otherHourly)
		mark(t, s, changes("view-rebuilding", otherHourly, 5))
		if err := errors.Join(s.Whole(), s.Snapshot().Err); err != nil {
			t.Errorf("when the view is being rebuilt: %v", err)
		}
		if got := s.Stream(); len(got.Final)+len(got.Exclusions)+len(got.Faults) != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// A view that is answered again from the start shows no fault to who looks on, in
// whichever order markers and rows are read. Until it is done it is no answer.
func TestSecondRebuildSeenLive(t *testing.T) {
	f := views(t)
	id := f.Views[0].ID()
	for _, when := range []string{"first", "after the rows"} {
		s := collect.NewState(f)
		run := func(transaction uint64) {
			early, final := row(f, result.Early, 1, 5), row(f, result.Final, 2, 5)
			early.Place.Transaction, final.Place.Transaction = transaction, transaction+1
			feed(t, s, early)
			if n := s.Snapshot().Faults; when == "first" && n != 0 {
				t.Errorf("marker %s: %d faults before the final row", when, n)
			}
			feed(t, s, final)
			if err := s.Exclusion(lateAt(final, 20)); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, faults int, late uint64) {
			t.Helper()
			snap, got := s.Snapshot(), s.Stream()
			if snap.Faults != faults || len(got.Faults) != faults || snap.Views[0].Late.Count != late || uint64(len(got.Exclusions)) != late {
				t.Errorf("marker %s, %s: %d faults, %+v, late %+v, %d exclusions", when, what, snap.Faults, got.Faults, snap.Views[0].Late, len(got.Exclusions))
			}
			if v := snap.Views[0]; v.Total.Count != 1 || v.Stages.Final != 1 || len(got.Final) != 1 {
				t.Errorf("marker %s, %s: %+v", when, what, v)
			}
		}
		run(1)
		check("answered once", 0, 1)
		if when == "first" {
			mark(t, s, changes("view-rebuilding", id, 15))
		}
		run(11)
		if when != "first" {
			check("unexplained", 1, 2)
			mark(t, s, changes("view-rebuilding", id, 15))
		}
		check("being rebuilt", 0, 1)
		refused(t, s.Whole(), `"`+id+`" is being rebuilt in partition 1`)
		mark(t, s, changes("view-rebuilt", id, 30))
		check("rebuilt", 0, 1)
		if err := s.Whole(); err != nil {
			t.Error(err)
		}
		run(21)
		check("once more up to the marker", 0, 1)
	}
}

// A rebuild that was given up for a reset is no rebuild under way.
func TestResetEndsARebuild(t *testing.T) {
	f := views(t)
	s := collect.NewState(f)
	id := f.Views[0].ID()
	mark(t, s, changes("view-rebuilding", id, 15))
	refused(t, s.Whole(), "is being rebuilt")
	mark(t, s, changes("view-reset", id, 40))
	if err := s.Whole(); err != nil {
		t.Error(err)
	}
}
