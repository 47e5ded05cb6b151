package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/config"
)

var scaleParts = []string{"events", "cells", "overlap", "sketches", "guarantee"}

// scaleCommand measures the processor alone while one thing grows.
type scaleCommand struct {
	Setup `embed:""`
	Runs  int      `default:"3" help:"Runs of each point, in turns; medians are shown."`
	Parts []string `default:"events,cells,overlap,sketches,guarantee" placeholder:"NAME,…" help:"Which of events, cells, overlap, sketches, guarantee."`
}

// Validate reports what the tags cannot say.
func (c *scaleCommand) Validate() []config.Fault {
	faults := c.Setup.Validate()
	if c.Runs < 1 || c.Runs > 100 {
		faults = append(faults, config.Faultf("--runs", "%d must be from 1 to 100", c.Runs))
	}
	for _, part := range c.Parts {
		if !slices.Contains(scaleParts, part) {
			faults = append(faults, config.Faultf("--parts", "%q is none of %s", part, strings.Join(scaleParts, ", ")))
		}
	}
	return faults
}

// Run is called by config.Main.
func (c *scaleCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(l *lab) error { return c.measure(ctx, l) })
}

// point is one setting of one part, and what it came to.
type point struct {
	Part   string    `json:"part"`
	Name   string    `json:"name"`
	X      float64   `json:"x"`         // events, live cells, or windows per event
	CPU    float64   `json:"cpu_us"`    // per event, median
	Broker float64   `json:"broker_us"` // the broker's, likewise
	Rate   float64   `json:"events_per_s"`
	Peak   int64     `json:"peak_bytes"`
	Rows   int       `json:"rows"` // of the answer
	Rounds []float64 `json:"cpu_us_by_round"`
	set    *set
	ask    question
	with   []string
	want   answers
	runs   []sample
}

func (c *scaleCommand) measure(ctx context.Context, l *lab) error {
	var all []*point
	for _, part := range c.Parts {
		points, err := l.points(ctx, part)
		if err != nil {
			return err
		}
		if len(all) == 0 && len(points) > 0 {
			if err := l.warm(ctx, points[0].engine(), points[0].ask, points[0].set); err != nil {
				return err
			}
		}
		for run := range c.Runs {
			for _, p := range inTurns(points, run) {
				s, err := p.run(ctx, l)
				if err != nil {
					return err
				}
				p.runs = append(p.runs, s)
				l.progress("run %d of %d  %-9s %-24s %6.3f µs CPU per event, broker %5.3f, %5.1f s, %5d MiB", run+1, c.Runs, p.Part, p.Name,
					perEvent(s.CPU, s.Events), perEvent(s.Broker, s.Events), s.Wall.Seconds(), s.Peak>>20)
			}
		}
		for _, p := range points {
			p.condense()
		}
		all = append(all, points...)
	}
	return l.write("scale", map[string]any{"machine": l.machine, "points": all}, scalePage(all, c.Runs), scaleChart(all))
}

// inTurns is the order of a round: each other one is reversed, so that whoever
// comes first has no more of a machine that warms up, or slows down.
func inTurns(points []*point, run int) []*point {
	order := slices.Clone(points)
	if run%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

func (p *point) engine() engine {
	return engine{name: "parallax", every: 100 * time.Millisecond, with: p.with}
}

func (p *point) run(ctx context.Context, l *lab) (sample, error) {
	s, err := l.backlog(ctx, p.engine(), p.ask, p.set, p.want)
	if err != nil {
		return s, fmt.Errorf("%s, %s: %w", p.Part, p.Name, err)
	}
	return s, nil
}

func (p *point) condense() {
	var cpu, broker, rate []float64
	var peak []int64
	for _, s := range p.runs {
		cpu, broker = append(cpu, perEvent(s.CPU, s.Events)), append(broker, perEvent(s.Broker, s.Events))
		rate, peak = append(rate, float64(s.Events)/s.Wall.Seconds()), append(peak, s.Peak)
	}
	p.Rounds = cpu
	p.CPU, p.Broker, p.Rate, p.Peak = median(cpu), median(broker), median(rate), median(peak)
}

// points are the settings of a part, with their sets loaded.
func (l *lab) points(ctx context.Context, part string) ([]*point, error) {
	var list []*point
	add := func(name string, x float64, s *set, q question, want answers, with ...string) {
		list = append(list, &point{Part: part, Name: name, X: x, Rows: len(want), set: s, ask: q, want: want, with: with})
	}
	q := comparison()
	switch part {
	case "events":
		for _, copies := range []int{1, 2, 4, 8, 16} {
			if l.small && copies > 4 {
				break
			}
			s := l.millions(copies)
			if err := l.load(ctx, s); err != nil {
				return nil, err
			}
			add(figure(float64(s.events))+" events", float64(s.events), s, q, s.truth.cells)
		}
	case "cells":
		s := l.millions(4)
		if err := l.load(ctx, s); err != nil {
			return nil, err
		}
		q.believed = "{count: 1, of: 1}" // the rule by which answer knows what is late
		for _, target := range []int{1_000, 10_000, 100_000, 1_000_000} {
			if target > len(s.truth.cells) {
				break
			}
			q.lateness = latenessFor(s.truth.cells, target)
			t, err := l.answer(ctx, s, q.lateness)
			if err != nil {
				return nil, err
			}
			cells := live(s.truth.cells, q.lateness)
			add(figure(float64(cells))+" live cells", float64(cells), s, q, t.cells)
		}
	case "overlap":
		s := l.millions(1)
		if err := l.load(ctx, s); err != nil {
			return nil, err
		}
		for _, n := range []int{1, 2, 4, 8, 12, 24} {
			q.window, q.every, q.final = time.Duration(n)*time.Hour, time.Hour, true
			add(fmt.Sprintf("windows per event: %d", n), float64(n), s, q, s.truth.cells.hopping(n))
		}
	case "sketches":
		s := l.millions(4)
		if err := l.load(ctx, s); err != nil {
			return nil, err
		}
		add("plain aggregates", 1, s, q, s.truth.cells)
		q.sketches = true
		add("quantiles and distinct too", 2, s, q, s.truth.cells)
	case "guarantee":
		help, err := exec.CommandContext(ctx, l.program, "--help").Output()
		if err != nil {
			return nil, fmt.Errorf("cannot ask %q for its settings: %w", l.program, err)
		}
		if !bytes.Contains(help, []byte("--guarantee")) {
			l.progress("guarantee: left out, this processor has no --guarantee")
			return nil, nil
		}
		s := l.millions(4)
		if err := l.load(ctx, s); err != nil {
			return nil, err
		}
		for i, guarantee := range []string{"exactly-once", "at-least-once"} {
			add(guarantee, float64(i+1), s, q, s.truth.cells, "--guarantee", guarantee)
		}
	}
	return list, nil
}

func scalePage(all []*point, runs int) string {
	t := table{head: []string{"what grows", "CPU per event, µs", "broker, µs", "events/s, wall", "peak, MiB", "rows of the answer"}}
	for _, p := range all {
		t.add(p.Part+": "+p.Name, "%.3f", p.CPU, "%.3f", p.Broker, "%.0f k", p.Rate/1000, "%d", p.Peak>>20, "%d", p.Rows)
	}
	return fmt.Sprintf(`# Scale

The processor alone over flights as JSON in %d partitions, exactly once, a commit each 100 ms, everything on; CPU of the whole process, and of the broker beside it. Medians of %d runs in turns, after the broker's JVM has warmed up.
*events*: the same question over more years. *cells*: 12 M flights with more lateness, so that more windows stay open (the largest number of cells open at a time is named). *overlap*: 3 M flights, hopping windows of so many hours every hour, rows of closed windows only: an event costs the engine the same, but it has more rows to write. *sketches* and *guarantee*: 12 M flights; of sketches the plain part is compared here. Every run was compared with the naive answer to its own question.

%s%s%s`, partitions, runs, t.String(), growthLine(all), guaranteeLine(all))
}

// growthLine is how much more than the first point of its part the dearest one
// costs, round by round: a machine that slows down between rounds says nothing of
// what grows.
func growthLine(all []*point) string {
	var s strings.Builder
	for _, part := range []string{"events", "cells", "overlap", "sketches"} {
		var first *point
		var most []float64 // by round
		for _, p := range all {
			switch {
			case p.Part != part:
			case first == nil:
				first, most = p, make([]float64, len(p.Rounds))
			default:
				for i, cpu := range p.Rounds {
					most[i] = max(most[i], cpu/first.Rounds[i])
				}
			}
		}
		if len(most) == 0 || slices.Max(most) == 0 { // no part, or a single point
			continue
		}
		fmt.Fprintf(&s, "\n*%s*: at its dearest point an event costs %.2f times what it costs with %s, from %.2f to %.2f by round.\n", part, median(most), first.Name, slices.Min(most), slices.Max(most))
	}
	return s.String()
}

// guaranteeLine is the throughput of exactly once against at least once, round by
// round: what a machine does to one round, it does to both.
func guaranteeLine(all []*point) string {
	runs := map[string][]sample{}
	for _, p := range all {
		runs[p.Name] = p.runs
	}
	var ratios []float64
	for i, once := range runs["exactly-once"] {
		ratios = append(ratios, runs["at-least-once"][i].Wall.Seconds()/once.Wall.Seconds())
	}
	if len(ratios) == 0 {
		return ""
	}
	return fmt.Sprintf("\nExactly once has %.3f of the throughput of at least once, from %.3f to %.3f by round.\n", median(ratios), slices.Min(ratios), slices.Max(ratios))
}

func scaleChart(all []*point) string {
	panels := []struct{ part, title string }{{"events", "µs CPU per event, by events"}, {"cells", "µs CPU per event, by live cells"}, {"overlap", "µs CPU per event, by windows per event"}}
	var s strings.Builder
	left := 0
	for _, x := range panels {
		l := line{name: "Parallax"}
		for _, p := range all {
			if p.Part == x.part {
				l.x, l.y = append(l.x, p.X), append(l.y, p.CPU)
			}
		}
		if len(l.x) > 0 {
			s.WriteString(panel(left, 0, x.title, []line{l}))
			left += panelWidth
		}
	}
	return svg(max(left, panelWidth), panelHeight+20, s.String())
}

// live is the largest number of cells that are open at a time: a window of an
// hour is open from its start until the lateness after its end has passed.
func live(cells answers, lateness time.Duration) int {
	perHour := map[int64]int{}
	for at := range cells {
		perHour[at.start/hour]++
	}
	hours := make([]int64, 0, len(perHour))
	for h := range perHour {
		hours = append(hours, h)
	}
	slices.Sort(hours)
	open, most, first := 0, 0, 0
	for _, h := range hours {
		open += perHour[h]
		for ; hours[first] < h-int64(lateness/time.Hour); first++ {
			open -= perHour[hours[first]]
		}
		most = max(most, open)
	}
	return most
}

// latenessFor is the least lateness, in whole hours, that keeps so many cells
// open, or the longest that a view may have.
func latenessFor(cells answers, target int) time.Duration {
	low, high := 0, 3660*24
	for low < high {
		middle := (low + high) / 2
		if live(cells, time.Duration(middle)*time.Hour) >= target {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return time.Duration(low) * time.Hour
}
