package render_test

import (
	"parallax.example/services/reporter/report"
)

const (
	minute = int64(60_000_000)
	hour   = 60 * minute
	monday = report.Time(992217600000000) // 2001-06-11
)

// hostile are keys which must do no harm wherever they are shown.
var hostile = []string{
	`<script>alert(1)</script>`,
	`=HYPERLINK("http://evil.example","x")`,
	"\x1b[31mred\nnext|line",
	"東京 / 成田",
}

func figures(values ...int64) report.Figures {
	if len(values) == 0 {
		return report.Figures{}
	}
	f := report.Figures{Count: uint64(len(values)), Min: values[0], Max: values[0]}
	for _, v := range values {
		f.Sum += v
		f.Min, f.Max = min(f.Min, v), max(f.Max, v)
	}
	f.Mean = float64(f.Sum) / float64(f.Count)
	return f
}

func row(values ...int64) *report.Figures {
	f := figures(values...)
	return &f
}

// cells has one cell of each kind: the same, late in part and in whole, open.
func cells() []report.Cell {
	late := func(offset int64, values ...int64) []report.CellCause {
		return []report.CellCause{{Cause: report.CauseLate, Figures: figures(values...), Examples: []report.EventRef{
			{ID: "generator/" + string(rune('0'+offset)), Partition: 1, Offset: offset, Time: monday + 5, Value: values[0]},
		}}}
	}
	at := func(n int64) (start, end report.Time) {
		return monday + report.Time(n*hour), monday + report.Time((n+1)*hour)
	}
	list := []report.Cell{
		{Key: hostile[0], Verdict: report.CellExplained, Truth: row(4, -2, 90), Stream: row(4, -2), A: row(4, -2), B: row(4, -2, 90), Causes: late(3, 90)},
		{Key: hostile[1], Verdict: report.CellExplained, Truth: row(200), B: row(200), Causes: late(5, 200)},
		{Key: hostile[2], Verdict: report.CellSame, Truth: row(-7), Stream: row(-7), A: row(-7), B: row(-7)},
		{Key: hostile[3], Verdict: report.CellOpen, B: row(1)},
	}
	subjects := uint64(3)
	list[0].B.Quantiles, list[0].B.Distinct = &report.Quantiles{P50: 4, P95: 90, P99: 90}, &subjects
	list[0].Group = &report.Span{Start: monday, End: monday + report.Time(2*hour)}
	for i := range list {
		list[i].View, list[i].Partition = "hourly", int32(i%2)
		list[i].Start, list[i].End = at(int64(i))
	}
	return list
}

// explained is the report of cells().
func explained() *report.Report {
	all, c := figures(4, -2, 90, 200, -7), cells()
	inTime := figures(4, -2, -7)
	lateOnes := figures(90, 200)
	r := &report.Report{
		Run: report.Run{ID: "20260102-030405", Created: 1767323045000000, Tool: "parallax test", Dataset: "three airports",
			Noun: "flight", Nouns: "flights", Key: "origin", Unit: "minutes", Why: "A delay is known only once the flight has left."},
		Cut: []report.Partition{
			{Partition: 0, End: 4, Watermark: monday + report.Time(9*hour), Records: report.Records{Total: 4, Valid: 3, Punctuation: 1}},
			{Partition: 1, End: 4, Watermark: 253402300799999999, Records: report.Records{Total: 4, Valid: 3, Punctuation: 1}},
			{Partition: 2, Idle: true},
		},
		Ledger:  report.Ledger{Sent: 6, Generated: 6, OK: 6},
		Records: report.Records{Total: 8, Valid: 6, Punctuation: 2},
		Identities: []report.Identity{
			{Name: "records", Statement: "messages = valid + duplicate + stale + dead letters + punctuation + all that has a long name", Left: report.Quantity{Name: "messages", Value: 1234567},
				Right: []report.Quantity{{Name: "valid", Value: 1234560}, {Name: "duplicate", Value: 7}}, Holds: true, Keys: 4},
		},
		Views: []report.View{{
			ID: "hourly@0123456789abcdef", Name: "hourly", Lateness: hour, Aggregates: []string{"count", "mean"},
			Window: report.Window{Kind: "tumbling", Size: hour, Every: hour, Words: "hourly windows"},
			Cells:  report.CellCounts{Closed: 3, Same: 1, Explained: 2, Open: 1, StreamIsA: 3, MergedIsB: 3, TruthIsB: 3},
			Sides: report.Sides{Truth: report.Side{Rows: 3, Figures: all}, Stream: report.Side{Rows: 2, Figures: inTime},
				A: report.Side{Rows: 2, Figures: inTime}, B: report.Side{Rows: 3, Figures: all}},
			Identities: []report.Identity{{Name: "placements", Statement: "placements = counted + late", Holds: true,
				Left: report.Quantity{Name: "placements", Value: 5}, Right: []report.Quantity{{Name: "counted", Value: 3}, {Name: "late", Value: 2}}}},
			Late: report.Late{Figures: lateOnes, Events: 2, HourOfDay: make([]uint64, 24),
				Beyond: []report.Bucket{{From: 0, To: 15 * minute, Count: 1}, {From: 15 * minute, To: 30 * minute, Count: 1}},
				TopKeys: []report.KeyLate{
					{Key: hostile[1], Late: figures(200), B: figures(200), LateShare: 1},
					{Key: hostile[0], Late: figures(90), B: figures(4, -2, 90), Streamed: figures(4, -2), LateShare: 1. / 3},
				}},
		}},
		Causes:      []report.Cause{{Cause: report.CauseLate, Meaning: report.Meaning(report.CauseLate), Events: 2, Placements: 2, Cells: 2}},
		Differences: report.Differences{Total: 2, Listed: c[:2]},
		Faults:      report.Faults{Listed: []report.Fault{}},
		Latency: []report.Latency{{Name: "final rows", Start: "the scheduled send of the event that caused the row", End: "the row can be read",
			Count: 10, Negative: 1, Lowest: -3, P50: 12, P90: 250, P99: 1250, P999: 1250, Highest: 61_000,
			Buckets: []report.Bucket{{From: -10, To: 0, Count: 1}, {From: 0, To: 10, Count: 4}, {From: 10, To: 100, Count: 3}, {From: 100, To: 100_000, Count: 2}}}},
		Freshness: []report.Freshness{{Side: "stream", Start: "the last event was scheduled to be sent", End: "the last final row could be read", Length: 412},
			{Side: "batch", Start: "the last event was scheduled to be sent", End: "the answer was complete", Length: 9300}},
	}
	r.Views = append(r.Views, rushes())
	v := &r.Views[0]
	v.Late.HourOfDay[0], v.Late.HourOfDay[1] = 1, 1
	for _, cell := range c[:3] {
		p := report.Point{Start: cell.Start, Truth: *cell.Truth, B: *cell.B}
		if cell.Stream != nil {
			p.Stream, p.A = *cell.Stream, *cell.A
		}
		p.Late = p.B.Count - p.Stream.Count
		v.Series = append(v.Series, p)
	}
	r.Schema, r.Version = report.Schema, report.Version
	r.Verdict = report.Verdict{Outcome: report.Explained, Headline: "Stream and batch differ in 2 of 3 cells, and every difference is explained.",
		Explanation: []string{"The stream closed its windows before 2 flights came. " + r.Run.Why, "Explained means: folding gives the other one."}}
	return r
}

// rushes is a session view with sketches, counted anew in its middle.
func rushes() report.View {
	sketched := func(subjects uint64, values ...int64) report.Figures {
		f := figures(values...)
		f.Quantiles, f.Distinct = &report.Quantiles{P50: values[0], P95: f.Max, P99: f.Max}, &subjects
		return f
	}
	return report.View{
		ID: "rushes@0123456789abcdef", Name: "rushes", Lateness: hour, Aggregates: []string{"count", "mean", "p50", "p95", "p99", "distinct"},
		Window: report.Window{Kind: "session", Gap: 45 * minute, Words: "sessions with gaps of at least 45 minutes"},
		Cells:  report.CellCounts{Closed: 2, Explained: 2, Partial: 1, StreamIsA: 2, MergedIsB: 2, TruthIsB: 2},
		Sides: report.Sides{Truth: report.Side{Rows: 2, Figures: sketched(3, 4, -2, 90)}, Stream: report.Side{Rows: 2, Figures: sketched(2, 4, -2)},
			A: report.Side{Rows: 2, Figures: sketched(2, 4, -2)}, B: report.Side{Rows: 2, Figures: sketched(3, 4, -2, 90)}},
		Causes: []report.Cause{{Cause: report.CauseSplit, Meaning: report.Meaning(report.CauseSplit), Cells: 1}},
		Late:   report.Late{HourOfDay: make([]uint64, 24)},
		Stages: report.Stages{Early: 1234, OnTime: 66, Final: 2, Retracted: 9},
	}
}

// unexplained is the same with one wrong sum in the cell of the first key.
func unexplained() *report.Report {
	r, c := explained(), cells()
	wrong := figures(4, -3)
	c[0].Verdict, c[0].Stream = report.CellUnexplained, &wrong
	r.Differences.Listed = c[:2]
	v := &r.Views[0]
	v.Cells.Explained, v.Cells.Unexplained, v.Cells.StreamIsA, v.Cells.MergedIsB = 1, 1, 2, 2
	v.Sides.Stream.Figures = figures(4, -3, -7)
	start, end, partition := c[0].Start, c[0].End, c[0].Partition
	r.Faults = report.Faults{Total: 1, Listed: []report.Fault{{Check: "stream-a", What: "the stream's row is not A's",
		View: "hourly", Key: c[0].Key, Start: &start, End: &end, Partition: &partition, Want: c[0].A, Got: &wrong}}}
	r.Identities[0].Holds = false
	r.Identities[0].Broken = []string{c[0].Key}
	r.Verdict = report.Verdict{ExitCode: 1, Outcome: report.Unexplained, Headline: "1 finding is unexplained, in the cell of \"<script>alert(1)</script>\".",
		Explanation: []string{"Unexplained means: a defect."}}
	return r
}

// damaged is the same with one event of the first key counted twice.
func damaged() *report.Report {
	r, c := explained(), cells()
	again := figures(4, 4, -2)
	c[0].Verdict, c[0].Stream = report.CellDamaged, &again
	c[0].Causes = append(c[0].Causes, report.CellCause{Cause: report.CauseAgain, Figures: figures(4), Examples: []report.EventRef{{Offset: 1, Time: c[0].Start, Value: 4}}})
	r.Differences.Listed = c[:2]
	v := &r.Views[0]
	v.Cells.Explained, v.Cells.Damaged, v.Cells.StreamIsA = 1, 1, 2
	r.Causes = append(r.Causes, report.Cause{Cause: report.CauseAgain, Meaning: report.Meaning(report.CauseAgain), Events: 1, Placements: 1, Cells: 1})
	r.Damage = &report.Damage{Ranges: []report.Range{{Kind: report.CauseAgain, From: 1, Until: 3}}, ToldAgain: 1}
	r.Conclude()
	return r
}

func notCompared() *report.Report {
	r := &report.Report{Run: report.Run{ID: "20260102-030405", Created: 1767323045000000, Tool: "parallax test"}}
	r.Schema, r.Version = report.Schema, report.Version
	r.Verdict = report.Verdict{ExitCode: 2, Outcome: report.NotCompared, Headline: "Nothing could be compared: the lake holds no batch output.",
		Reason: "the lake holds no batch output", Advice: "Run parallax batch first."}
	return r
}
