package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
)

var defaultRates = []int{1000, 20_000, 50_000}

// latencyCommand measures how long a closed window's row takes to a reader.
type latencyCommand struct {
	Setup   `embed:""`
	Rates   []int `default:"1000,20000,50000" placeholder:"N,…" help:"Events per second."`
	Runs    int   `default:"3" help:"Runs of each engine at each rate, in turns; medians are shown."`
	Seconds int   `default:"10" help:"How long a run measures."`
	Warmup  int   `default:"10" help:"Seconds of load before that, for the JVMs."`
}

// Validate reports what the tags cannot say.
func (c *latencyCommand) Validate() []config.Fault {
	faults := c.Setup.Validate()
	for _, r := range c.Rates {
		if r < 1000 || r > 1_000_000 {
			faults = append(faults, config.Faultf("--rates", "%d must be from 1000 to 1000000", r))
		}
	}
	if c.Runs < 1 || c.Runs > 100 {
		faults = append(faults, config.Faultf("--runs", "%d must be from 1 to 100", c.Runs))
	}
	if c.Seconds < 1 || c.Seconds > 600 {
		faults = append(faults, config.Faultf("--seconds", "%d must be from 1 to 600", c.Seconds))
	}
	if c.Warmup < 1 || c.Warmup > 600 {
		faults = append(faults, config.Faultf("--warmup", "%d must be from 1 to 600", c.Warmup))
	}
	return faults
}

// Run is called by config.Main.
func (c *latencyCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(l *lab) error { return c.measure(ctx, l) })
}

// delay is what a run showed: times in ms, of rows whose window closed in the
// measured time.
type delay struct {
	Engine string  `json:"engine"`
	About  string  `json:"about"`
	Rate   int     `json:"rate"`
	P50    float64 `json:"p50_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
	P999   float64 `json:"p99.9_ms"`
	Max    float64 `json:"max_ms"`
	Rows   int     `json:"rows"`
	Cores  float64 `json:"cores"`        // CPU seconds per second, of the engine
	Broker float64 `json:"broker_cores"` // and of the broker
	Behind float64 `json:"behind_ms"`    // how late the sender was, at most: part of the figures
}

func (c *latencyCommand) measure(ctx context.Context, l *lab) error {
	if l.small {
		c.Rates, c.Runs, c.Seconds, c.Warmup = []int{1000, 20_000}, 1, min(c.Seconds, 5), min(c.Warmup, 4)
	}
	engines, warmup := c.chosen(latencyEngines), time.Duration(c.Warmup)*time.Second
	if len(engines) == 0 {
		return errors.New("none of these engines is measured for latency")
	}
	l.progress("warming up the broker")
	if _, err := l.delay(ctx, engines[0], newPlan(20_000, 2*warmup), warmup); err != nil {
		return err
	}
	var list, samples []delay
	for _, rate := range c.Rates {
		p := newPlan(rate, warmup+time.Duration(c.Seconds)*time.Second)
		runs := make([][]delay, len(engines))
		for run := range c.Runs {
			for i, e := range engines {
				d, err := l.delay(ctx, e, p, warmup)
				if err != nil {
					return err
				}
				runs[i] = append(runs[i], d)
				l.progress("run %d of %d  %6d/s  %-14s p50 %6.1f  p99 %6.1f  p99.9 %6.1f ms, %d rows, %.2f cores, broker %.2f, sender behind %.1f ms",
					run+1, c.Runs, rate, e.name, d.P50, d.P99, d.P999, d.Rows, d.Cores, d.Broker, d.Behind)
			}
		}
		for _, r := range runs {
			list, samples = append(list, medians(r)), append(samples, r...)
		}
	}
	return l.write("latency", map[string]any{"machine": l.machine, "medians": list, "samples": samples}, latencyPage(list, c), latencyChart(list, c.Rates))
}

// medians is each figure's median over the runs of one engine at one rate.
func medians(runs []delay) delay {
	d := runs[0]
	for _, figure := range []func(*delay) *float64{
		func(d *delay) *float64 { return &d.P50 }, func(d *delay) *float64 { return &d.P90 }, func(d *delay) *float64 { return &d.P99 },
		func(d *delay) *float64 { return &d.P999 }, func(d *delay) *float64 { return &d.Max }, func(d *delay) *float64 { return &d.Cores },
		func(d *delay) *float64 { return &d.Broker }, func(d *delay) *float64 { return &d.Behind },
	} {
		values := make([]float64, len(runs))
		for i := range runs {
			values[i] = *figure(&runs[i])
		}
		*figure(&d) = median(values)
	}
	return d
}

// delay runs one engine under one load. Everything is new: topics, group, state.
func (l *lab) delay(ctx context.Context, e engine, p *plan, warmup time.Duration) (d delay, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	q := question{window: time.Second, believed: "{count: 1, of: 1}", final: true}
	prefix := fmt.Sprintf("latency-%d-%d", time.Now().UnixMilli(), l.jobs)
	events := kafka.NewTopics(prefix).Specs(partitions, 1)[:1]
	if err := l.create(ctx, events...); err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, l.drop(events[0].Name)) }()
	j, err := l.prepare(ctx, e, q, prefix)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, l.discard(e, j)) }()
	engine, err := start(ctx, e.name, j.state, filepath.Join(l.cache, "logs"), e.env(), e.args(l, q, j)...)
	if err != nil {
		return d, err
	}
	d, err = l.observe(ctx, e, engine, p, warmup, j)
	return d, cmp.Or(err, engine.stop(time.Minute))
}

// observe sends the load and reads the rows.
func (l *lab) observe(ctx context.Context, e engine, engine *process, p *plan, warmup time.Duration, j job) (delay, error) {
	d := delay{Engine: e.name, About: e.about, Rate: p.rate}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-engine.ended:
			cancel(errors.Join(fmt.Errorf("%s ended during the run", engine.name), engine.failure()))
		case <-ctx.Done():
		}
	}()
	w, err := newWatch(l, e, p, j, warmup)
	if err != nil {
		return d, err
	}
	defer func() { _ = w.reader.Close() }()
	if err := l.prime(ctx, j); err != nil {
		return d, cmp.Or(context.Cause(ctx), err)
	}
	w.began = time.Now().Add(100 * time.Millisecond)
	sent := make(chan error, 1)
	go func() { sent <- l.send(ctx, p, j.input, w.began, &d.Behind) }()
	used := make(chan error, 1)
	go func() { used <- l.used(ctx, engine, w.began, warmup, p.due(p.events), &d) }()

	err = w.read(ctx)
	if err != nil {
		cancel(err)
	}
	if err = errors.Join(err, <-sent, <-used); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return d, cause
		}
		return d, err
	}
	at := func(percent float64) float64 { return float64(w.times.ValueAtQuantile(percent)) / 1000 }
	d.P50, d.P90, d.P99, d.P999, d.Max = at(50), at(90), at(99), at(99.9), float64(w.times.Max())/1000
	d.Rows = int(w.times.TotalCount())
	return d, nil
}

// prime sends each partition a punctuation that says nothing, and waits until
// the engine has committed it: the load then begins at one that runs.
func (l *lab) prime(ctx context.Context, j job) error {
	producer, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{OnDelivery: func(kafka.Delivery) {}})
	if err != nil {
		return err
	}
	defer producer.Close()
	message := event.AppendPunctuationJSON(nil, &event.Punctuation{Sender: []byte("generator")})
	for _, p := range allPartitions {
		if err := producer.Produce(ctx, kafka.Record{Topic: j.input, Partition: p, Value: message}, 0); err != nil {
			return err
		}
	}
	if err := producer.Flush(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		committed, err := l.admin.Committed(ctx, j.group, j.input, allPartitions)
		if err != nil && !kafka.Transient(err) {
			return err
		}
		if err == nil && !slices.ContainsFunc(committed, func(c kafka.Committed) bool { return c.Offset < 1 }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the engine has not begun to read")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

const nap = 500 * time.Microsecond

// send sends every event when it is due, with that time as its timestamp. A
// slow sender falls behind the plan and does not shift it. It sleeps for a
// fraction of a millisecond at least, and then sends what has become due: to
// wake up for each event would take the machine from those who are measured.
func (l *lab) send(ctx context.Context, p *plan, topic string, began time.Time, behind *float64) error {
	var failed error
	producer, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{Linger: time.Millisecond, OnDelivery: func(d kafka.Delivery) {
		failed = errors.Join(failed, d.Err)
	}})
	if err != nil {
		return err
	}
	sender := *p // its scratch is not the reader's
	var buf []byte
	var worst time.Duration
	for i := range p.events {
		due := began.Add(p.due(i))
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(max(wait, nap)):
			case <-ctx.Done():
				producer.Close()
				return context.Cause(ctx)
			}
		} else {
			worst = max(worst, -wait)
		}
		e := sender.event(i)
		buf = event.AppendJSON(buf[:0], e)
		if err := producer.Produce(ctx, kafka.Record{Topic: topic, Partition: p.partition[i%loadKeys], Timestamp: due.UnixMilli(), Key: e.Key, Value: buf}, 0); err != nil {
			producer.Close()
			return err
		}
	}
	err = producer.Flush(ctx)
	producer.Close()
	*behind = float64(worst) / float64(time.Millisecond)
	return errors.Join(err, failed)
}

// used measures the CPU between the end of the warm-up and the end of the load.
func (l *lab) used(ctx context.Context, engine *process, began time.Time, warmup, length time.Duration, d *delay) error {
	var own, broker [2]time.Duration
	for i, at := range []time.Duration{warmup, length} {
		select {
		case <-time.After(time.Until(began.Add(at))):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		var err error
		if own[i], err = engine.cpu(); err != nil {
			return err
		}
		if broker[i], err = l.brokerCPU(); err != nil {
			return err
		}
	}
	d.Cores = float64(own[1]-own[0]) / float64(length-warmup)
	d.Broker = float64(broker[1]-broker[0]) / float64(length-warmup)
	return nil
}

func latencyPage(list []delay, c *latencyCommand) string {
	t := table{head: []string{"engine", "events/s", "p50, ms", "p90", "p99", "p99.9", "max", "rows", "cores", "broker, cores", "sender behind, ms"}}
	for _, d := range list {
		t.add(d.About, "%d", d.Rate, "%.1f", d.P50, "%.1f", d.P90, "%.1f", d.P99, "%.1f", d.P999, "%.1f", d.Max, "%d", d.Rows, "%.2f", d.Cores, "%.2f", d.Broker, "%.1f", d.Behind)
	}
	return fmt.Sprintf(`# Latency

From the scheduled send of the event that closes a window to the moment when a read_committed consumer holds the window's final row. %d s are measured after %d s of warm-up; percentiles by HDR histogram, of every row; medians of %d runs in turns.
Windows of a second of event time, which runs %d times as fast as the clock, %d keys, %d partitions, lateness 0, nothing out of order. Every row's figures were right, none was missing and none came twice.
The waiting that a slow sender hides is in the figures: they start at the planned time. A window closes with the first event behind its end in its partition; for Flink, in the slowest partition. Kafka Streams emits final rows only by suppression, Flink by its trigger, Parallax by `+"`emit: final`"+`.

%s`, c.Seconds, c.Warmup, c.Runs, loadSpeed, loadKeys, partitions, t.String())
}

func latencyChart(list []delay, rates []int) string {
	var b []bar
	for _, d := range list {
		b = append(b, bar{fmt.Sprintf("%s at %s/s", d.About, figure(float64(d.Rate))), []float64{d.P50, d.P99}})
	}
	var at []string
	for _, r := range rates {
		at = append(at, fmt.Sprint(r))
	}
	return bars("A window's final row, after the event that closes it is due ("+strings.Join(at, ", ")+" events/s)", "ms", []string{"p50", "p99"}, b)
}
