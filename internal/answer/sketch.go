package answer

import (
	"errors"
	"fmt"

	"parallax.example/internal/result"
	"parallax.example/internal/sketch"
)

// sketchCheck holds the sketches of rows that were read against their rows, so
// that nobody later meets broken ones. B's row often repeats that of A before it.
type sketchCheck struct {
	histogram, subjects string // the last that were decoded
	h                   sketch.Histogram
	d                   sketch.Distinct
}

func (s *sketchCheck) check(a *result.Agg) error {
	if a.Quantiles != "" {
		if a.Quantiles != s.histogram {
			if err := s.h.Decode([]byte(a.Quantiles)); err != nil {
				return err
			}
			s.histogram = a.Quantiles
		}
		if s.h.Count() != a.Count {
			return fmt.Errorf("its histogram counts %d values of %d", s.h.Count(), a.Count)
		}
	}
	if a.Distinct != "" {
		if a.Distinct != s.subjects {
			if err := s.d.Decode([]byte(a.Distinct)); err != nil {
				return err
			}
			s.subjects = a.Distinct
		}
		if a.Count == 0 {
			return errors.New("it has subjects and no events")
		}
	}
	return nil
}
