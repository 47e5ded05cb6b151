package compare_test

import (
	"testing"

	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

// A week of flights has about as many events. The oracle is slow with sessions,
// so that there are fewer events with them.
func BenchmarkRun(b *testing.B) {
	for name, of := range map[string]struct {
		views  func([]view.View) []view.View
		events int
	}{
		"plain windows": {func(v []view.View) []view.View {
			v[0].Aggregates, v[1].Aggregates = view.Plain, view.Plain
			return v[:2]
		}, 116_000},
		"windows":  {func(v []view.View) []view.View { return v[:2] }, 116_000},
		"sessions": {func(v []view.View) []view.View { return v[2:] }, 20_000},
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			w.views.Views = of.views(w.views.Views)
			w.random(1, of.events)
			w.punctuate()
			in := w.input()
			b.ReportAllocs()
			for b.Loop() {
				var r report.Report
				cells, err := compare.Run(in, &r)
				if err != nil || r.Faults.Total != 0 {
					b.Fatal(err, r.Faults.Total)
				}
				b.ReportMetric(float64(len(cells)), "cells")
			}
		})
	}
}
