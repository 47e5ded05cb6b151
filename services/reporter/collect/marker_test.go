package collect_test

import (
	"fmt"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/services/reporter/collect"
)

// A view that was rebuilt twice has its rows and late placements twice. They were
// faults and counted double; without the marker, or from its offset on, they are.
func TestRebuiltTwice(t *testing.T) {
	f := views(t)
	for until, faults := range map[int64]int{0: 1, 15: 1, 100: 0} {
		s := collect.NewState(f)
		if until > 0 {
			text := fmt.Sprintf(`{"kind":"view-rebuilt","view":%q,"partition":1,"offset":%d}`, f.Views[0].ID(), until)
			if err := s.Marker([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		for run := range uint64(2) {
			early, final := row(f, result.Early, 1, 5), row(f, result.Final, 2, 5)
			early.Place.Transaction += 10 * run
			final.Place.Transaction += 10 * run
			feed(t, s, early, final)
			late := result.Exclusion{Place: result.Place{Partition: 1, Offset: 90, Transaction: final.Place.Transaction}, Cause: result.Late,
				View: early.View, Span: early.Span, Event: event.AppendProto(nil, &event.Event{Key: []byte("ATL")})}
			if err := s.Exclusion(late.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		got := s.Stream()
		late := 2
		if until > 90 {
			late = 1
		}
		if v := s.Snapshot().Views[0]; len(got.Faults) != faults || len(got.Exclusions) != late || v.Stages.Final != 1 || v.Total.Count != 1 {
			t.Errorf("rebuilt up to %d: %+v, %d late, %+v", until, got.Faults, len(got.Exclusions), v)
		}
	}
}
