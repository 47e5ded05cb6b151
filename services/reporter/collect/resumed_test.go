package collect_test

import (
	"slices"
	"strings"
	"testing"

	"parallax.example/internal/result"
	"parallax.example/services/reporter/collect"
)

// What a stream without exactly once tells twice, or closes twice, is no fault if
// a marker says so, whether it comes before the rows or after them.
func TestResumed(t *testing.T) {
	f := views(t)
	// Transaction 3 tells of all, and is torn; made anew it takes in less, and 4 the rest.
	in := func(r *result.Result, transaction uint64, ordinal uint32) *result.Result {
		r.Place.Transaction, r.Place.Ordinal = transaction, ordinal
		return r
	}
	twice := []*result.Result{in(row(f, result.OnTime, 2, 6), 3, 1), in(row(f, result.Final, 3, 7), 3, 2), in(row(f, result.OnTime, 2, 6), 3, 1), in(row(f, result.Final, 3, 7), 4, 1)}
	later := append(slices.Clone(twice), in(row(f, result.Final, 3, 7), 4, 1)) // which nothing explains
	closed := []*result.Result{row(f, result.OnTime, 2, 6), row(f, result.Final, 3, 7), row(f, result.Final, 5, 5)}
	for name, c := range map[string]struct {
		rows   []*result.Result
		marker string
		faults bool
	}{
		"taken again":             {twice, `{"kind":"taken-again","guarantee":"at-least-once","partition":1,"offset":10,"until":10,"transaction":3}`, false},
		"from a later offset":     {twice, `{"kind":"taken-again","partition":1,"offset":25,"until":40,"transaction":3}`, true},
		"in another partition":    {twice, `{"kind":"taken-again","partition":0,"offset":10,"until":10,"transaction":3}`, true},
		"of another batch":        {twice, `{"kind":"taken-again","partition":1,"offset":10,"until":10,"transaction":2}`, true},
		"and once more, later":    {later, `{"kind":"taken-again","partition":1,"offset":10,"until":10,"transaction":3}`, true},
		"left out, told twice":    {twice, `{"kind":"skipped","partition":1,"offset":0,"until":40,"transaction":3}`, true},
		"closed again":            {closed, `{"kind":"skipped","partition":1,"offset":20,"until":40,"transaction":3}`, false},
		"closed again, elsewhere": {closed, `{"kind":"skipped","partition":1,"offset":31,"until":40,"transaction":3}`, true},
		"closed again, within":    {closed, `{"kind":"skipped","partition":1,"offset":20,"until":60,"transaction":3}`, true},
		"closed again, another":   {closed, `{"kind":"skipped","partition":1,"offset":20,"until":40,"transaction":2}`, true},
		"another kind of marker":  {twice, `{"kind":"fault","partition":1,"offset":10,"until":10}`, true},
	} {
		for _, first := range []bool{true, false} {
			s := collect.NewState(f)
			if first {
				mark(t, s, c.marker)
			}
			feed(t, s, c.rows...)
			if !first {
				mark(t, s, c.marker)
			}
			got := s.Stream()
			if (len(got.Faults) > 0) != c.faults || s.Snapshot().Faults != len(got.Faults) {
				t.Errorf("%s, marker first %t: %+v", name, first, got.Faults)
			}
			last := c.rows[len(c.rows)-1]
			if got.Final[last.Cell()].Agg != last.Agg {
				t.Errorf("%s: the last final row does not count: %+v", name, got.Final)
			}
			finals := 0
			for _, r := range c.rows {
				if r.Stage == result.Final {
					finals++
				}
			}
			if again := got.Final[last.Cell()].Again; again != finals-1 {
				t.Errorf("%s: a final row was told %d times, and %d times again", name, finals, again)
			}
			if !strings.Contains(c.marker, "fault") && len(got.Resumed) != 1 {
				t.Errorf("%s: %+v", name, got.Resumed)
			}
		}
	}
	for _, wrong := range []string{`{"kind":"skipped","partition":-1,"offset":0,"until":3}`, `{"kind":"taken-again","partition":1,"offset":5,"until":3}`} {
		if err := collect.NewState(f).Marker([]byte(wrong)); err == nil {
			t.Errorf("%s is taken in", wrong)
		}
	}
}

func mark(t *testing.T, s *collect.State, marker string) {
	t.Helper()
	if err := s.Marker([]byte(marker)); err != nil {
		t.Fatal(err)
	}
}
