package latency_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parallax.example/services/reporter/latency"
)

// Whatever is recorded is counted once, negatives too, and percentiles are
// near the exact ones.
func TestRecorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(-5_000, 200_000), 1, 300).Draw(t, "values")
		r := latency.New("rows", "sent", "seen")
		negative := uint64(0)
		for _, v := range values {
			r.Record(v)
			if v < 0 {
				negative++
			}
		}
		slices.Sort(values)
		out := r.Report()
		if out.Count != uint64(len(values)) || out.Negative != negative || out.Lowest != values[0] || out.Highest != values[len(values)-1] {
			t.Errorf("%+v of %v", out, values)
		}
		var inBuckets uint64
		for i, b := range out.Buckets {
			inBuckets += b.Count
			if b.From >= b.To || i > 0 && out.Buckets[i-1].To > b.From {
				t.Errorf("buckets %+v", out.Buckets)
			}
		}
		if inBuckets != out.Count {
			t.Errorf("%d in buckets of %d", inBuckets, out.Count)
		}
		for q, got := range map[float64]int64{0.5: out.P50, 0.9: out.P90, 0.99: out.P99, 0.999: out.P999} {
			rank := int(q*float64(len(values)) + 0.999999)
			want := values[rank-1]
			if d := got - want; max(d, -d) > max(want, -want)/500+1 {
				t.Errorf("q %v: %d, exactly %d", q, got, want)
			}
		}
	})
}

func TestOutOfRange(t *testing.T) {
	r := latency.New("rows", "sent", "seen")
	r.Record(1 << 60)
	r.Record(-1 << 60)
	out := r.Report()
	if out.Count != 2 || out.Highest != 1<<60 || out.Lowest != -1<<60 || out.Negative != 1 {
		t.Errorf("%+v", out)
	}
	var n uint64
	for _, b := range out.Buckets {
		n += b.Count
	}
	if n != 2 {
		t.Errorf("%+v", out.Buckets)
	}
}
