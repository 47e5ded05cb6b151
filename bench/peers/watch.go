package main

import (
	"context"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"parallax.example/internal/kafka"
)

// watch reads the rows of a latency run and holds them against the plan.
type watch struct {
	engine engine
	plan   *plan
	began  time.Time
	warmup time.Duration
	reader *kafka.Reader
	times  *hdrhistogram.Histogram // µs
	seen   map[cell]bool
	wanted int // rows of windows that the load closes
}

// longest is the largest latency that the histogram holds, and how long the
// last rows are waited for.
const longest = time.Minute

func newWatch(l *lab, e engine, p *plan, j job, warmup time.Duration) (*watch, error) {
	w := &watch{engine: e, plan: p, warmup: warmup, seen: map[cell]bool{}, times: hdrhistogram.New(1, longest.Microseconds(), 3)}
	for at := range p.cells {
		if _, ok := p.closing(at, e.kind == flink); ok {
			w.wanted++
		}
	}
	var starts []kafka.Start
	for _, p := range allPartitions {
		starts = append(starts, kafka.Start{Topic: j.output, Partition: p, Offset: 0})
	}
	var err error
	w.reader, err = kafka.NewReader(l.kafka, kafka.ReaderConfig{}, starts...)
	return w, err
}

// read returns when every row is there.
func (w *watch) read(ctx context.Context) error {
	end := w.began.Add(w.plan.due(w.plan.events)).Add(longest)
	for len(w.seen) < w.wanted {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(end) {
			return &Mismatch{w.engine.name, fmt.Sprintf("of %d final rows %d came within %s after the load", w.wanted, len(w.seen), longest)}
		}
		batches, err := w.reader.Poll(10 * time.Millisecond)
		if err != nil {
			return err
		}
		now := time.Now()
		for _, b := range batches {
			for i := range b.Len() {
				r, err := w.engine.decoder()(b.Value(i))
				if err != nil {
					return fmt.Errorf("cannot read topic %q, partition %d, offset %d: %w", b.Topic, b.Partition, b.Offsets[i], err)
				}
				if err := w.take(r, now); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// take judges a row and counts its time.
func (w *watch) take(r row, now time.Time) error {
	if !r.final {
		return nil
	}
	wrong := func(format string, args ...any) error {
		return &Mismatch{w.engine.name, fmt.Sprintf("%s of %d: ", r.at.key, r.at.start) + fmt.Sprintf(format, args...)}
	}
	due, ok := w.plan.closing(r.at, w.engine.kind == flink)
	closed := w.began.Add(due)
	switch {
	case !ok:
		return wrong("final, but nothing has closed it")
	case w.seen[r.at]:
		return wrong("final twice")
	case r.figures != w.plan.cells[r.at]:
		return wrong("%+v, want %+v", r.figures, w.plan.cells[r.at])
	case r.scheduled != 0 && r.scheduled != closed.UnixMilli():
		return wrong("closed by the event of %d ms, want %d", r.scheduled, closed.UnixMilli())
	case now.Before(closed):
		return wrong("came %s before the event that closes it was due", closed.Sub(now))
	}
	w.seen[r.at] = true
	if due < w.warmup {
		return nil
	}
	if err := w.times.RecordValue(max(1, now.Sub(closed).Microseconds())); err != nil {
		return fmt.Errorf("cannot count a latency: %w", err)
	}
	return nil
}
