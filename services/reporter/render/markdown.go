package render

import (
	"fmt"
	"io"
	"strings"

	"parallax.example/services/reporter/report"
)

const listedCells = 50 // in the pages; the files of cells hold all

// Markdown writes the report for a pull request or a wiki: the same content as
// the page, without its pictures.
func Markdown(w io.Writer, r *report.Report) error {
	var m markdown
	m.report(r)
	if _, err := io.WriteString(w, m.String()); err != nil {
		return fmt.Errorf("cannot write the report as Markdown: %w", err)
	}
	return nil
}

type markdown struct{ strings.Builder }

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

// table writes rows, the first is the head; alignment holds a letter for each
// column, l or r.
func (m *markdown) table(alignment string, rows [][]string) {
	for i, row := range rows {
		m.line("| %s |", strings.Join(row, " | "))
		if i > 0 {
			continue
		}
		for _, a := range alignment {
			if a == 'r' {
				m.WriteString("|---:")
			} else {
				m.WriteString("|---")
			}
		}
		m.line("|")
	}
	m.line("")
}

var markup = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`",
	"*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`, "@", "&#64;")

// md makes outside text harmless in Markdown.
func md(s string) string { return markup.Replace(plain(s)) }

var outcomes = map[string]string{
	report.Explained:   "✓ explained",
	report.Unexplained: "✗ unexplained",
	report.Damaged:     "✗ damaged",
	report.NotCompared: "✗ not compared",
}

func (m *markdown) report(r *report.Report) {
	m.line("# %s\n", md(title(r)))
	m.line("**Verdict: %s** (exit code %d). %s\n", outcomes[r.Verdict.Outcome], r.Verdict.ExitCode, md(r.Verdict.Headline))
	m.line("%s, %s.\n", md(strings.Join(about(r), ", ")), md(r.Run.Created.String()))
	for _, s := range append([]string{r.Verdict.Advice}, r.Verdict.Explanation...) {
		if s != "" {
			m.line("%s\n", md(s))
		}
	}
	if r.Faults.Total > 0 {
		m.faults(r)
	}
	for i := range r.Views {
		m.view(r, &r.Views[i])
	}
	if len(r.Identities) > 0 {
		m.line("## Does everything add up?\n")
		m.identities(r.Identities)
	}
	if len(r.Causes) > 0 {
		m.line("## Why the answers differ\n")
		m.causes(r.Causes)
	}
	m.latency(r)
	m.cut(r)
	m.cells(r)
}

func (m *markdown) faults(r *report.Report) {
	m.line("## Unexplained: %s\n", whole(r.Faults.Total))
	rows := [][]string{{"check", "what", "view", "key", "window", "partition"}}
	for i, f := range r.Faults.Listed {
		if i == listedCells {
			break
		}
		row := []string{md(f.Check), md(f.What), md(f.View), md(f.Key), "", ""}
		if f.Start != nil && f.End != nil {
			row[4] = span(*f.Start, *f.End)
		}
		if f.Partition != nil {
			row[5] = whole(*f.Partition)
		}
		rows = append(rows, row)
	}
	m.table("lllllr", rows)
}

func (m *markdown) view(r *report.Report, v *report.View) {
	m.line("## View %s\n", md(v.Name))
	m.line("%s, closed %s after their end. Values in %s.\n", md(v.Window.Words), length(v.Lateness), md(r.Run.Unit))
	rows, alignment := [][]string{{"answer", "rows", "count", "sum", "mean"}}, "lrrrr"
	if asksQuantiles(v) {
		rows[0], alignment = append(rows[0], "p50", "p95", "p99"), alignment+"rrr"
	}
	if asksDistinct(v) {
		rows[0], alignment = append(rows[0], "distinct"), alignment+"r"
	}
	for _, s := range sides(v) {
		row := []string{s.Name, whole(s.Rows), whole(s.Count), sum(s.Figures), decimal(s.Mean, 3)}
		if asksQuantiles(v) {
			row = append(row, quantiles(s.Figures)...)
		}
		if asksDistinct(v) {
			row = append(row, distinct(s.Figures))
		}
		rows = append(rows, row)
	}
	m.table(alignment, rows)
	c := v.Cells
	counts := [][]string{
		{compared(v), "number"},
		{"closed", whole(c.Closed)},
		{"all four the same", whole(c.Same)},
		{"different and explained", whole(c.Explained)},
		{"unexplained", whole(c.Unexplained)},
		{"stream = A byte for byte", whole(c.StreamIsA)},
		{"A with the excluded events = B", whole(c.MergedIsB)},
		{"truth = B", whole(c.TruthIsB)},
		{"open at the cut, not compared", whole(c.Open)},
	}
	if c.Damaged > 0 {
		counts = append(counts, []string{"damaged: events counted twice or not at all, or others than it should", whole(c.Damaged)})
	}
	if c.Partial > 0 {
		counts = append(counts, []string{"begun before the view was counted anew, not compared", whole(c.Partial)})
	}
	m.table("lr", counts)
	if s := published(v); s != "" {
		m.line("%s.\n", s)
	}
	if len(v.Identities) > 0 {
		m.identities(v.Identities)
	}
	if len(v.Late.TopKeys) > 0 {
		rows := [][]string{{md(r.Run.Key), "late", "share of its " + md(noun(r, 0)), "stream's mean", "batch's mean"}}
		for i, k := range v.Late.TopKeys {
			if i == topKeys {
				break
			}
			rows = append(rows, []string{md(k.Key), whole(k.Late.Count), percent(k.LateShare), decimal(k.Streamed.Mean, 1), decimal(k.B.Mean, 1)})
		}
		m.table("lrrrr", rows)
	}
}

func (m *markdown) identities(list []report.Identity) {
	rows := [][]string{{"", "must hold", "figures"}}
	for _, i := range list {
		sign := "✓"
		if !i.Holds {
			sign = "✗"
		}
		statement := md(i.Statement)
		if i.Keys > 0 {
			statement += fmt.Sprintf(" (also for each of %s keys)", whole(i.Keys))
		}
		rows = append(rows, []string{sign, statement, equation(i)})
	}
	m.table("llr", rows)
}

func (m *markdown) causes(list []report.Cause) {
	rows := [][]string{{"cause", "events", "placements", "cells", "meaning"}}
	for _, c := range list {
		rows = append(rows, []string{md(c.Cause), whole(c.Events), whole(c.Placements), whole(c.Cells), md(c.Meaning)})
	}
	m.table("lrrrl", rows)
}

func (m *markdown) latency(r *report.Report) {
	if len(r.Latency) == 0 && len(r.Freshness) == 0 {
		return
	}
	m.line("## How fast\n")
	if len(r.Latency) > 0 {
		rows := [][]string{{"latency", "from", "to", "count", "p50", "p90", "p99", "p99.9", "max", "negative"}}
		for _, l := range r.Latency {
			rows = append(rows, []string{md(l.Name), md(l.Start), md(l.End), whole(l.Count), milliseconds(l.P50), milliseconds(l.P90),
				milliseconds(l.P99), milliseconds(l.P999), milliseconds(l.Highest), whole(l.Negative)})
		}
		m.table("lllrrrrrrr", rows)
	}
	if len(r.Freshness) > 0 {
		rows := [][]string{{"answer", "from when", "to when", "took"}}
		for _, f := range r.Freshness {
			rows = append(rows, []string{md(f.Side), md(f.Start), md(f.End), milliseconds(f.Length)})
		}
		m.table("lllr", rows)
	}
}

func (m *markdown) cut(r *report.Report) {
	if len(r.Cut) == 0 {
		return
	}
	m.line("## The cut\n")
	rows := [][]string{{"partition", "offsets", "watermark", "valid", "duplicate", "stale", "dead letters", "punctuation"}}
	for _, p := range r.Cut {
		rows = append(rows, []string{whole(p.Partition), whole(p.First) + "–" + whole(p.End), watermark(p), whole(p.Records.Valid),
			whole(p.Records.Duplicate), whole(p.Records.Stale), whole(p.Records.DeadLetter), whole(p.Records.Punctuation)})
	}
	m.table("rrlrrrrr", rows)
}

func (m *markdown) cells(r *report.Report) {
	if r.Differences.Total == 0 {
		return
	}
	shown := r.Differences.Listed[:min(len(r.Differences.Listed), listedCells)]
	m.line("## Differing cells: %s, the first %s\n", whole(r.Differences.Total), whole(len(shown)))
	rows := [][]string{{"verdict", "view", md(r.Run.Key), "window (UTC)", "partition", "truth", "stream", "A", "B", "causes"}}
	for _, c := range shown {
		rows = append(rows, []string{md(c.Verdict), md(c.View), md(c.Key), span(c.Start, c.End), whole(c.Partition),
			brief(c.Truth), brief(c.Stream), brief(c.A), brief(c.B), md(causes(c.Causes))})
	}
	m.table("llllrrrrrl", rows)
	m.line("Each side as count and sum. Every cell is in cells.csv and cells.parquet.")
}

// brief writes a side of a cell as its count and sum.
func brief(f *report.Figures) string {
	if f == nil {
		return "no row"
	}
	return whole(f.Count) + " · " + sum(*f)
}

func watermark(p report.Partition) string {
	const year9999 = 253_370_764_800_000_000 // beyond every event: no time, but a word
	switch {
	case p.Idle:
		return "idle: no event"
	case p.Watermark >= year9999:
		return "the end, by punctuation"
	}
	return moment(p.Watermark)
}
