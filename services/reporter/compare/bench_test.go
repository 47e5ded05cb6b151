package compare_test

import (
	"testing"

	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

// A week of flights has about as many events.
func BenchmarkRun(b *testing.B) {
	w := random(b, 1, 116_000)
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
}
