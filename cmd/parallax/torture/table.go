package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"parallax.example/cmd/parallax/torture/check"
)

// Outcome is what came of one run.
type Outcome struct {
	Fault      string          `json:"fault"`
	Seed       uint64          `json:"seed"`
	Fired      int             `json:"fired"`
	Recoveries []time.Duration `json:"recoveries_ns"`
	Events     int             `json:"events"`
	Lost       int             `json:"lost"`
	Doubled    int             `json:"doubled"`
	Cells      int             `json:"differing_cells"`
	Took       time.Duration   `json:"took_ns"`
	Calm       Flow            `json:"calm,omitzero"` // of long-kills: before the first kill
	Killed     Flow            `json:"killed,omitzero"`
	OpenCells  uint64          `json:"open_cells,omitempty"` // of recovery: the fewest at a kill
	Parts      []Part          `json:"parts,omitempty"`
	Violations []string        `json:"violations"`
	Again      string          `json:"again,omitempty"`
}

func outcome(r *run, report *check.Report, err error, took time.Duration) Outcome {
	o := Outcome{Fault: r.row.name, Seed: r.seed, Fired: r.fired(), Took: took, Violations: []string{}}
	m := &r.measured
	o.Calm, o.Killed, o.OpenCells, o.Parts = m.calm, m.killed, m.cells, m.parts
	if r.tail != nil {
		o.Recoveries, _ = r.recoveries()
	}
	if report != nil {
		o.Events, o.Lost, o.Doubled, o.Cells = report.Events, report.Lost, report.Doubled, report.Cells
		for _, v := range report.Violations {
			o.Violations = append(o.Violations, v.String())
		}
	}
	if err != nil {
		o.Violations = append(o.Violations, "the run: "+err.Error())
	}
	return o
}

// failure tells of a run that broke a promise.
func (o *Outcome) failure(again, dir string) string {
	o.Again = again
	return fmt.Sprintf("\n%s, seed %d, broke a promise:\n  %s\nIts files: %s\nAgain:     %s\n",
		o.Fault, o.Seed, strings.Join(o.Violations, "\n  "), dir, again)
}

// Line is a row of the table.
type Line struct {
	Fault   string        `json:"fault"`
	Runs    int           `json:"runs"`
	Fired   int           `json:"fired"`
	P50     time.Duration `json:"recovery_p50_ns"` // 0: nothing to recover
	P99     time.Duration `json:"recovery_p99_ns"`
	Events  int           `json:"events"`
	Lost    int           `json:"lost"`
	Doubled int           `json:"doubled"`
	Differ  int           `json:"differing_cells"`
	Broken  int           `json:"broken_runs"`
	Calm    Flow          `json:"calm,omitzero"`
	Killed  Flow          `json:"killed,omitzero"`
	Cells   uint64        `json:"open_cells,omitempty"`
	Parts   []Share       `json:"parts,omitempty"`
}

// tabulate sums the runs up, in the order of the matrix.
func tabulate(outcomes []Outcome) []Line {
	var lines []Line
	for _, r := range matrix {
		l := Line{Fault: r.name}
		var took []time.Duration
		var runs []*Outcome
		for i := range outcomes {
			o := &outcomes[i]
			if o.Fault != r.name {
				continue
			}
			l.Runs++
			l.Fired += o.Fired
			l.Events += o.Events
			l.Lost += o.Lost
			l.Doubled += o.Doubled
			l.Differ += o.Cells
			took = append(took, o.Recoveries...)
			runs = append(runs, o)
			l.Calm.add(o.Calm)
			l.Killed.add(o.Killed)
			if o.OpenCells > 0 && (l.Cells == 0 || o.OpenCells < l.Cells) {
				l.Cells = o.OpenCells
			}
			if len(o.Violations) > 0 {
				l.Broken++
			}
		}
		if l.Runs == 0 {
			continue
		}
		slices.Sort(took)
		l.P50, l.P99 = quantile(took, 50), quantile(took, 99)
		l.Parts = shares(runs)
		lines = append(lines, l)
	}
	return lines
}

// quantile is the value at rank ⌈percent/100 · n⌉ of a sorted list.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}

func writeTable(out io.Writer, lines []Line, left []notRun, took time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fault\truns\tfired\tevents\trecovery p50\tp99\tlost\tdoubled\tdiffering cells\t")
	var runs, broken int
	for _, l := range lines {
		runs += l.Runs
		broken += l.Broken
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t", l.Fault, l.Runs, l.Fired, l.Events, brief(l.P50), brief(l.P99), l.Lost, l.Doubled, l.Differ)
		if l.Broken > 0 {
			fmt.Fprintf(w, "BROKEN in %d\t", l.Broken)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	for _, r := range left {
		fmt.Fprintf(out, "not run: %s: %s\n", r.name, r.why)
	}
	if err := writeMeasured(out, lines); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	_, err := fmt.Fprintf(out, "%d runs in %v, %d broke a promise.\n", runs, took.Round(time.Second), broken)
	return err
}

func brief(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func writeJSON(path, cluster string, c *Config, lines []Line, outcomes []Outcome, took time.Duration) error {
	b, err := json.MarshalIndent(map[string]any{
		"cluster": cluster, "guarantee": c.Guarantee, "seed": c.Seed, "seeds": c.Seeds, "events": c.Events, "took_ns": took, "table": lines, "runs": outcomes,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	return nil
}

// list names the rows.
func list(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range matrix {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.group, r.name, r.what)
	}
	return w.Flush()
}
