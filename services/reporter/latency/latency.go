// Package latency keeps distributions of wall-clock lengths.
//
// It may be trusted for this: nothing is dropped. A length below zero, which
// only a wrong clock can make, is counted and shown like any other; one beyond
// the histogram's range counts as the range's end, and Highest is exact.
// Percentiles are within 0.1 % of a length that was measured. What a length
// starts and ends at is part of every report; see docs/design.md, section 6.7.
package latency

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"

	"parallax.example/services/reporter/report"
)

// highest is the longest length told apart, in ms: a week.
const highest = 7 * 24 * 3600 * 1000

// Recorder collects one distribution. It is not safe for concurrent use.
type Recorder struct {
	name, start, end string
	positive         *hdrhistogram.Histogram // 0 and above
	negative         *hdrhistogram.Histogram // lengths below zero, without their sign
	low, high        int64
}

// New makes an empty recorder. start and end say in words which moments a
// length lies between.
func New(name, start, end string) *Recorder {
	return &Recorder{
		name: name, start: start, end: end,
		positive: hdrhistogram.New(1, highest, 3),
		negative: hdrhistogram.New(1, highest, 3),
		low:      math.MaxInt64, high: math.MinInt64,
	}
}

// Record adds one length in ms.
func (r *Recorder) Record(ms int64) {
	r.low, r.high = min(r.low, ms), max(r.high, ms)
	h, v := r.positive, ms
	if ms < 0 {
		h, v = r.negative, -max(ms, -highest)
	}
	if err := h.RecordValue(min(v, highest)); err != nil {
		panic("BUG: a length within the range was refused: " + err.Error())
	}
}

// Count is how many lengths were recorded.
func (r *Recorder) Count() uint64 {
	return uint64(r.positive.TotalCount() + r.negative.TotalCount())
}

// Quantile returns the length of rank ⌈q·n⌉ in ms, 0 < q ≤ 1; 0 when empty.
func (r *Recorder) Quantile(q float64) int64 {
	n, below := r.positive.TotalCount()+r.negative.TotalCount(), r.negative.TotalCount()
	if n == 0 {
		return 0
	}
	rank := min(max(int64(math.Ceil(q*float64(n))), 1), n)
	var v int64
	if rank <= below { // the rank-th smallest is the largest magnitude but rank−1
		v = -atRank(r.negative, below-rank+1)
	} else {
		v = atRank(r.positive, rank-below)
	}
	return min(max(v, r.low), r.high)
}

// atRank is the value of a rank from 1.
func atRank(h *hdrhistogram.Histogram, rank int64) int64 {
	var seen int64
	for _, bar := range h.Distribution() {
		if seen += bar.Count; seen >= rank {
			return bar.To
		}
	}
	panic("BUG: rank beyond the histogram")
}

// Report returns the distribution; buckets are cut at 1, 2 and 5 times the powers of ten.
func (r *Recorder) Report() report.Latency {
	out := report.Latency{Name: r.name, Start: r.start, End: r.end, Count: r.Count(), Negative: uint64(r.negative.TotalCount()), Buckets: []report.Bucket{}}
	if out.Count == 0 {
		return out
	}
	out.Lowest, out.Highest = r.low, r.high
	out.P50, out.P90, out.P99, out.P999 = r.Quantile(0.5), r.Quantile(0.9), r.Quantile(0.99), r.Quantile(0.999)
	if out.Negative > 0 {
		out.Buckets = append(out.Buckets, report.Bucket{From: r.low, To: 0, Count: out.Negative})
	}
	bars := r.positive.Distribution()
	from, started := int64(0), false
	for _, to := range bounds() {
		var n int64
		for len(bars) > 0 && bars[0].From < to {
			n += bars[0].Count
			bars = bars[1:]
		}
		if started = started || n > 0; started {
			out.Buckets = append(out.Buckets, report.Bucket{From: from, To: to, Count: uint64(n)})
		}
		from = to
		if r.high < to {
			break
		}
	}
	return out
}

// bounds are 1, 2, 5, 10, … ms up to above the range.
func bounds() []int64 {
	var list []int64
	for decade := int64(1); decade <= highest*10; decade *= 10 {
		list = append(list, decade, 2*decade, 5*decade)
	}
	return append(list, report.NoEnd)
}
