package main

import (
	"context"
	"errors"
	"fmt"

	"parallax.example/internal/config"
)

// throughputCommand lets every engine answer 3 and 12 million flights.
type throughputCommand struct {
	Setup `embed:""`
	Runs  int `default:"3" help:"Runs of each engine, in turns; medians are shown."`
}

// Validate reports what the tags cannot say.
func (c *throughputCommand) Validate() []config.Fault {
	faults := c.Setup.Validate()
	if c.Runs < 1 || c.Runs > 100 {
		faults = append(faults, config.Faultf("--runs", "%d must be from 1 to 100", c.Runs))
	}
	return faults
}

// Run is called by config.Main.
func (c *throughputCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(l *lab) error { return c.measure(ctx, l) })
}

func (c *throughputCommand) measure(ctx context.Context, l *lab) error {
	small, large := l.millions(1), l.millions(4)
	for _, s := range []*set{small, large} {
		if err := l.load(ctx, s); err != nil {
			return err
		}
	}
	q, engines := comparison(), c.chosen(throughputEngines)
	if len(engines) == 0 {
		return errors.New("none of these engines is measured for throughput")
	}
	if lateness := q.lateness.Microseconds(); max(small.truth.back, large.truth.back) >= lateness {
		return fmt.Errorf("cannot compare: an event lies %d µs back, the lateness is %d µs, and engines differ in what is late", max(small.truth.back, large.truth.back), lateness)
	}
	if err := l.warm(ctx, engines[0], q, large); err != nil {
		return err
	}
	var samples []sample
	for run := range c.Runs {
		for _, e := range engines {
			for _, s := range []*set{small, large} {
				x, err := l.backlog(ctx, e, q, s, s.truth.cells)
				if err != nil {
					return err
				}
				samples = append(samples, x)
				l.progress("run %d of %d  %-16s %-12s %6.3f µs CPU per event, broker %5.3f, %5.1f s, %5d MiB", run+1, c.Runs, e.name, s.name,
					perEvent(x.CPU, x.Events), perEvent(x.Broker, x.Events), x.Wall.Seconds(), x.Peak>>20)
			}
		}
	}
	list := costs(engines, samples, small, large)
	return l.write("throughput", map[string]any{
		"machine": l.machine, "costs": list, "samples": samples, "lateness": q.lateness.String(),
		"answers": map[string]string{small.name: small.truth.cells.digest(), large.name: large.truth.cells.digest()},
	}, throughputPage(list, small, large, c.Runs), throughputChart(list))
}

func throughputPage(list []cost, small, large *set, runs int) string {
	t := table{head: []string{"engine", "whole, µs", "marginal, µs", "× the first", "broker, marginal, µs", "events/s, marginal wall", "peak, MiB", "peak of the larger, MiB"}}
	for _, c := range list {
		t.add(c.About, "%.2f", c.Whole, "%.3f", c.Marginal, "%.1f", c.Ratio, "%.2f", c.BrokerMarginal, "%.0f k", c.Rate/1000, "%d", c.PeakSmall>>20, "%d", c.PeakLarge>>20)
	}
	return fmt.Sprintf(`# Throughput

Flights as JSON in %d partitions: by hour and origin the count, sum, min and max, exactly once, from a backlog.
CPU (user + system, the whole process with start and warm-up) in µs per event: *whole* over %d events, *marginal* over the %d more of a larger run. Medians of %d interleaved runs, after the broker's JVM has warmed up.
Every run's answers were the same, cell by cell, as a naive fold of the log: %d cells, and %d of the larger set.

%s
The rule of lateness is the same for all: 72 hours, within which no flight lies (at most %.0f h back), so that what counts as late, which engines define differently, changes no answer, and all keep a window open for as long.
Parallax and Kafka Streams and the loops write a changed cell at each commit, Flink a cell once when its window closes: each the cheapest way it has to a right answer. Flink writes the fewest rows.
`, partitions, small.events, large.events-small.events, runs, len(small.truth.cells), len(large.truth.cells), t.String(), float64(max(small.truth.back, large.truth.back))/hour)
}
