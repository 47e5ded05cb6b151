package reporter

import (
	"parallax.example/services/reporter/collect"
	"parallax.example/services/reporter/report"
	"parallax.example/services/reporter/web"
)

// Live returns what the stream has said so far, as the page shows it: the
// first view's answer, totals, windows, partitions, latency. The rest (run,
// phase, note, time, the batch) is for the caller to fill.
func (r *Reporter) Live() web.Live {
	if c := r.collector.Load(); c != nil {
		return live(c.Snapshot(), r.config.Unit)
	}
	return web.Live{Unit: r.config.Unit}
}

func live(s collect.Snapshot, unit string) web.Live {
	v := &s.Views[0]
	l := web.Live{
		View: v.Name, Unit: unit,
		Totals:     web.Totals{Counted: v.Total.Count, Late: v.Late.Count, Duplicates: s.Duplicates, DeadLetters: s.DeadLetters},
		Windows:    make([]web.Window, 0, len(v.Windows)),
		Views:      make([]web.View, 0, len(s.Views)),
		Partitions: make([]web.Partition, 0, len(s.Partitions)),
	}
	for _, v := range s.Views {
		l.Views = append(l.Views, web.View{Name: v.Name, Words: v.Words, Rows: v.Stages.Final, Early: v.Stages.Early + v.Stages.OnTime, Retracted: v.Stages.Retracted, Late: v.Late.Count})
	}
	if v.Total.Count > 0 {
		l.Stream = &web.Answer{Count: v.Total.Count, Mean: v.Total.Mean()}
	}
	for _, w := range v.Windows {
		mean := w.Agg.Mean()
		l.Windows = append(l.Windows, web.Window{Start: w.Start, Stream: &mean})
	}
	for _, p := range s.Partitions {
		l.Totals.Generated += uint64(max(p.End, 0)) // messages in the log: as near as Kafka can tell
		one := web.Partition{ID: p.Partition, Lag: max(p.End, 0) - max(p.Committed, 0)}
		if at, ok := s.Watermarks[p.Partition]; ok {
			one.Watermark = &at
		}
		l.Partitions = append(l.Partitions, one)
	}
	if s.Finals.Count > 0 {
		l.Latency = &web.Latency{Count: s.Finals.Count, P50: float64(s.Finals.P50), P99: float64(s.Finals.P99)}
	}
	return l
}

// Conclude puts a finished report into what the page shows: the batch's
// answer beside the stream's, and the verdict.
func Conclude(l *web.Live, rep *report.Report) {
	l.Outcome = &web.Outcome{
		Explained: rep.Verdict.ExitCode == 0, Damaged: rep.Verdict.Outcome == report.Damaged, Unexplained: uint64(rep.Faults.Total),
		Sentence: rep.Verdict.Headline, Report: true,
	}
	if len(rep.Views) == 0 {
		return
	}
	v := &rep.Views[0]
	l.Stream = &web.Answer{Count: v.Sides.Stream.Count, Mean: v.Sides.Stream.Mean}
	l.Batch = &web.Answer{Count: v.Sides.B.Count, Mean: v.Sides.B.Mean}
	l.Windows = make([]web.Window, 0, len(v.Series))
	for i := range v.Series {
		p := &v.Series[i]
		w := web.Window{Start: int64(p.Start)}
		if p.Stream.Count > 0 {
			w.Stream = &p.Stream.Mean
		}
		if p.B.Count > 0 {
			w.Batch = &p.B.Mean
		}
		l.Windows = append(l.Windows, w)
	}
}
