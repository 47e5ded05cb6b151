package render

import (
	"fmt"
	"io"
	"strings"

	"parallax.example/services/reporter/report"
)

const (
	columns      = 88 // of text; tables stay below it
	listedFaults = 10
)

// Terminal writes a summary of at most 100 columns, the verdict last. With
// color it uses ANSI colours; stream and batch have the same pair as the pages.
func Terminal(w io.Writer, r *report.Report, color bool) error {
	t := &terminal{color: color}
	t.report(r)
	if _, err := io.WriteString(w, t.String()); err != nil {
		return fmt.Errorf("cannot write the summary: %w", err)
	}
	return nil
}

// The colours, as ANSI codes. Blue and orange of the 256-colour table.
const (
	bold      = "1"
	faint     = "2"
	streamInk = "38;5;33"
	batchInk  = "38;5;208"
	goodInk   = "32"
	badInk    = "1;31"
)

type terminal struct {
	strings.Builder
	color bool
}

func (t *terminal) ink(code, s string) string {
	if !t.color || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *terminal) line(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	t.WriteString(strings.TrimRight(line, " ") + "\n")
}

func (t *terminal) heading(s string) { t.line("\n%s", t.ink(bold, s)) }

func (t *terminal) text(indent, s string) {
	for _, l := range wrap(s, columns-len(indent)) {
		t.line("%s%s", indent, l)
	}
}

func (t *terminal) mark(holds bool) string {
	if holds {
		return t.ink(goodInk, "✓")
	}
	return t.ink(badInk, "✗")
}

func (t *terminal) report(r *report.Report) {
	for _, l := range wrap(strings.Join(about(r), " · "), columns) {
		t.line("%s", t.ink(faint, l))
	}
	if len(r.Views) > 0 {
		t.answers(r, &r.Views[0])
	}
	for _, p := range r.Verdict.Explanation {
		t.line("")
		t.text("  ", plain(p))
	}
	for i := range r.Views {
		t.view(&r.Views[i])
	}
	t.identities(r)
	t.causes(r)
	t.latency(r)
	t.faults(r)
	t.verdict(r)
}

// about are the facts of a run that every rendering begins with.
func about(r *report.Report) []string {
	list := []string{"Parallax", "run " + plain(r.Run.ID)}
	if r.Run.Dataset != "" {
		list = append(list, plain(r.Run.Dataset))
	}
	if n := len(r.Cut); n > 0 {
		list = append(list, fmt.Sprintf("%s messages in %s partitions", whole(r.Records.Total), whole(n)))
	}
	return list
}

func (t *terminal) answers(r *report.Report, v *report.View) {
	const half = 34
	left := [3]string{"STREAM", mean(v.Sides.Stream.Mean) + " " + r.Run.Unit, "mean of " + whole(v.Sides.Stream.Count) + " " + noun(r, v.Sides.Stream.Count)}
	right := [3]string{"BATCH", mean(v.Sides.B.Mean) + " " + r.Run.Unit, "mean of " + whole(v.Sides.B.Count) + " " + noun(r, v.Sides.B.Count)}
	inks := [3][2]string{{streamInk, batchInk}, {"1;" + streamInk, "1;" + batchInk}, {faint, faint}}
	t.line("")
	for i := range left {
		gap := strings.Repeat(" ", max(2, half-width(left[i])))
		t.line("  %s%s%s", t.ink(inks[i][0], left[i]), gap, t.ink(inks[i][1], right[i]))
	}
}

func (t *terminal) view(v *report.View) {
	t.heading(fmt.Sprintf("View %s: %s, closed %s after their end", plain(v.Name), v.Window.Words, length(v.Lateness)))
	rows := [][]string{{"", "rows", "count", "sum", "mean"}}
	for _, s := range sides(v) {
		rows = append(rows, []string{s.Name, whole(s.Rows), whole(s.Count), sum(s.Figures), decimal(s.Mean, 3)})
	}
	t.table("  ", rows, map[int]string{2: streamInk, 4: batchInk})
	t.sketches(v)
	c := v.Cells
	t.line("")
	t.line("  %s closed %s: %s all four the same, %s different and explained, %s", whole(c.Closed), compared(v), whole(c.Same), whole(c.Explained),
		t.tone(c.Unexplained, whole(c.Unexplained)+" unexplained"))
	if c.Damaged > 0 {
		t.line("  %s", t.tone(c.Damaged, damaged(c.Damaged)))
	}
	if c.Open > 0 {
		t.line("  %s", open(c.Open))
	}
	if c.Partial > 0 {
		t.line("  %s", partial(c.Partial))
	}
	t.text("  ", published(v))
	t.line("  %s stream = A byte for byte: %s of %s", t.mark(c.StreamIsA == c.Closed), whole(c.StreamIsA), whole(c.Closed))
	t.line("  %s A with the excluded events = B: %s of %s", t.mark(c.MergedIsB == c.Closed), whole(c.MergedIsB), whole(c.Closed))
	t.line("  %s truth = B: %s of %s", t.mark(c.TruthIsB == c.Closed), whole(c.TruthIsB), whole(c.Closed))
	for _, i := range v.Identities {
		t.identity(i)
	}
}

// sketches is a table of its own, since one with all figures is too wide.
func (t *terminal) sketches(v *report.View) {
	head, rows := []string{"sketched"}, [][]string{}
	if asksQuantiles(v) {
		head = append(head, "p50", "p95", "p99")
	}
	if asksDistinct(v) {
		head = append(head, "distinct")
	}
	if len(head) == 1 {
		return
	}
	for _, s := range sides(v) {
		row := []string{s.Name}
		if asksQuantiles(v) {
			row = append(row, quantiles(s.Figures)...)
		}
		if asksDistinct(v) {
			row = append(row, distinct(s.Figures))
		}
		rows = append(rows, row)
	}
	t.line("")
	t.table("  ", append([][]string{head}, rows...), map[int]string{2: streamInk, 4: batchInk})
}

func (t *terminal) tone(n int, s string) string {
	if n > 0 {
		return t.ink(badInk, s)
	}
	return s
}

func (t *terminal) identities(r *report.Report) {
	if len(r.Identities) == 0 {
		return
	}
	t.heading("Does everything add up?")
	for _, i := range r.Identities {
		t.identity(i)
	}
}

func (t *terminal) identity(i report.Identity) {
	keys := ""
	if i.Keys > 0 {
		keys = fmt.Sprintf(", and for each of %s keys", whole(i.Keys))
	}
	for n, l := range wrap(plain(i.Statement)+keys, columns-4) {
		if n == 0 {
			t.line("  %s %s", t.mark(i.Holds), l)
		} else {
			t.line("    %s", l)
		}
	}
	t.line("    %s", t.ink(faint, equation(i)))
	for n, k := range i.Broken {
		if n == listedFaults {
			t.line("    …")
			break
		}
		t.line("    %s", t.ink(badInk, "not for "+cut(plain(k), columns-12)))
	}
}

func (t *terminal) causes(r *report.Report) {
	if len(r.Causes) == 0 {
		return
	}
	t.heading("Why the answers differ")
	rows := [][]string{{"cause", "events", "placements", "cells"}}
	for _, c := range r.Causes {
		rows = append(rows, []string{c.Cause, whole(c.Events), whole(c.Placements), whole(c.Cells)})
	}
	t.table("  ", rows, nil)
	for _, c := range r.Causes {
		t.line("")
		t.text("  ", c.Cause+": "+c.Meaning)
	}
}

func (t *terminal) latency(r *report.Report) {
	if len(r.Latency) > 0 {
		t.heading("How fast")
		rows := [][]string{{"latency", "count", "p50", "p90", "p99", "max"}}
		for _, l := range r.Latency {
			rows = append(rows, []string{l.Name, whole(l.Count), milliseconds(l.P50), milliseconds(l.P90), milliseconds(l.P99), milliseconds(l.Highest)})
		}
		t.table("  ", rows, nil)
		for _, l := range r.Latency {
			t.text("  ", t.span(l))
		}
	}
	for _, f := range r.Freshness {
		t.text("  ", fmt.Sprintf("%s: %s after %s, %s", f.Side, milliseconds(f.Length), f.Start, f.End))
	}
}

func (t *terminal) span(l report.Latency) string {
	s := fmt.Sprintf("%s: from %s to %s", l.Name, l.Start, l.End)
	if l.Negative > 0 {
		s += fmt.Sprintf("; %s end before they start, the lowest at %s", whole(l.Negative), milliseconds(l.Lowest))
	}
	return s
}

func (t *terminal) faults(r *report.Report) {
	if r.Faults.Total == 0 {
		return
	}
	t.heading(t.ink(badInk, whole(r.Faults.Total)+" unexplained"))
	for i, f := range r.Faults.Listed {
		if i == listedFaults {
			break
		}
		place := ""
		if f.Start != nil && f.End != nil {
			place = fmt.Sprintf(" · %s · %s · %s", plain(f.View), cut(plain(f.Key), 40), span(*f.Start, *f.End))
		}
		if f.Partition != nil {
			place += fmt.Sprintf(" · partition %d", *f.Partition)
		}
		t.line("  %s %s%s", t.ink(badInk, "✗"), t.ink(bold, f.Check), place)
		t.text("    ", plain(f.What))
		if f.Want != nil && f.Got != nil {
			t.line("    want count %s sum %s, got count %s sum %s", whole(f.Want.Count), sum(*f.Want), whole(f.Got.Count), sum(*f.Got))
		}
	}
	if more := r.Faults.Total - min(len(r.Faults.Listed), listedFaults); more > 0 {
		t.line("  … and %s more: see report.json", whole(more))
	}
}

func (t *terminal) verdict(r *report.Report) {
	code, sign := goodInk+";1", "✓ EXPLAINED"
	switch r.Verdict.Outcome {
	case report.Unexplained:
		code, sign = badInk, "✗ UNEXPLAINED"
	case report.Damaged:
		code, sign = badInk, "✗ DAMAGED"
	case report.NotCompared:
		code, sign = badInk, "✗ NOT COMPARED"
	}
	t.line("")
	if r.Verdict.Advice != "" {
		t.text("", plain(r.Verdict.Advice))
	}
	lines := wrap(plain(r.Verdict.Headline), columns-width(sign)-2)
	for i, l := range lines {
		if i == 0 {
			t.line("%s  %s", t.ink(code, sign), l)
		} else {
			t.line("%s  %s", strings.Repeat(" ", width(sign)), l)
		}
	}
	if len(lines) == 0 {
		t.line("%s", t.ink(code, sign))
	}
}

// table writes rows with the first column left and the others right aligned;
// the first row is the head. inks colours whole rows.
func (t *terminal) table(indent string, rows [][]string, inks map[int]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for c, s := range row {
			widths[c] = max(widths[c], width(s))
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for c, s := range row {
			pad := strings.Repeat(" ", widths[c]-width(s))
			if c == 0 {
				b.WriteString(s + pad)
			} else {
				b.WriteString("  " + pad + s)
			}
		}
		code := inks[n]
		if n == 0 {
			code = faint
		}
		t.line("%s%s", indent, t.ink(code, strings.TrimRight(b.String(), " ")))
	}
}
