package torture

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// measured is what long rows measure beside the recoveries.
type measured struct {
	calm, killed Flow
	cells        uint64
	parts        []Part
}

// Flow is how many input records became visible answers in a time.
type Flow struct {
	Records int64         `json:"records"`
	Took    time.Duration `json:"took_ns"`
}

func (f Flow) rate() float64 { return float64(f.Records) / f.Took.Seconds() }

func (f *Flow) add(g Flow) { f.Records, f.Took = f.Records+g.Records, f.Took+g.Took }

// Part is one of those that a recovery consists of, for each kill.
type Part struct {
	Name string          `json:"name"`
	Took []time.Duration `json:"took_ns"`
}

// Share is a part over all kills.
type Share struct {
	Name  string        `json:"name"`
	Kills int           `json:"kills"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
}

// shares are the parts over all runs of a row.
func shares(outcomes []*Outcome) (list []Share) {
	var parts []Part
	for _, o := range outcomes {
		for i, p := range o.Parts {
			if i == len(parts) {
				parts = append(parts, Part{Name: p.Name})
			}
			parts[i].Took = append(parts[i].Took, p.Took...)
		}
	}
	for _, p := range parts {
		slices.Sort(p.Took)
		list = append(list, Share{p.Name, len(p.Took), quantile(p.Took, 50), quantile(p.Took, 99)})
	}
	return list
}

// writeMeasured writes what long rows have measured, if there were any.
func writeMeasured(out io.Writer, lines []Line) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range lines {
		l := &lines[i]
		if l.Killed.Records > 0 {
			fmt.Fprintf(w, "\n%s: %.0f messages a second were answered in peace, %.0f with %d kills: %.1f %%\n",
				l.Fault, l.Calm.rate(), l.Killed.rate(), l.Fired, 100*l.Killed.rate()/l.Calm.rate())
		}
		if len(l.Parts) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %d kills, at least %d open cells\tp50\tp99\n", l.Fault, l.Parts[0].Kills, l.Cells)
		for _, p := range l.Parts {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", p.Name, brief(p.P50), brief(p.P99))
		}
	}
	return w.Flush()
}
