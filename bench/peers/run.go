package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"parallax.example/internal/kafka"
)

// sample is what one run used.
type sample struct {
	Engine string        `json:"engine"`
	Set    string        `json:"set"`
	Events int           `json:"events"`
	CPU    time.Duration `json:"cpu_ns"`    // user and system, the engine's whole process tree
	Broker time.Duration `json:"broker_ns"` // the broker's, meanwhile
	Wall   time.Duration `json:"wall_ns"`   // from the start of the process until the last offset is committed
	Peak   int64         `json:"peak_bytes"`
	Digest string        `json:"digest"` // of the answers
}

// prepare makes the topics and the folder of a run.
func (l *lab) prepare(ctx context.Context, e engine, q question, prefix string) (job, error) {
	l.jobs++
	j := job{
		prefix: prefix, input: kafka.NewTopics(prefix).Events,
		group: fmt.Sprintf("bench-%s-%d-%d", e.name, os.Getpid(), l.jobs),
	}
	j.state = filepath.Join(l.cache, "state", j.group)
	if err := os.MkdirAll(j.state, 0o755); err != nil {
		return j, err
	}
	if e.kind != parallax {
		j.output = j.group + ".results"
		return j, l.create(ctx, kafka.TopicSpec{Name: j.output, Partitions: partitions, Replication: 1})
	}
	j.output = kafka.NewTopics(prefix).Results
	if err := os.WriteFile(filepath.Join(j.state, "views.yaml"), []byte(q.views()), 0o644); err != nil {
		return j, err
	}
	return j, l.create(ctx, kafka.NewTopics(prefix).Specs(partitions, 1)...)
}

// create makes topics and waits until their partitions have a leader, so that
// no engine's start is measured with a wait in it.
func (l *lab) create(ctx context.Context, specs ...kafka.TopicSpec) error {
	if err := l.admin.EnsureTopics(ctx, specs); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, s := range specs {
		for {
			_, err := l.admin.Offsets(ctx, s.Name, allPartitions[:s.Partitions])
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

// discard removes what a run left, but for its input.
func (l *lab) discard(e engine, j job) error {
	topics := []string{j.output}
	switch t := kafka.NewTopics(j.prefix); e.kind {
	case parallax:
		topics = []string{t.Results, t.Excluded, t.DeadLetters, t.Changelog, t.Markers}
	case streams:
		topics = append(topics, j.group+"-cells-changelog", j.group+"-last-store-changelog")
	}
	return errors.Join(l.drop(topics...), os.RemoveAll(j.state))
}

// runTime is how long a run may take, by far.
const runTime = 20 * time.Minute

// backlog lets an engine answer all of a set, then compares its answers.
func (l *lab) backlog(ctx context.Context, e engine, q question, s *set, want answers) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	j, err := l.prepare(ctx, e, q, s.name)
	if err != nil {
		return sample{}, err
	}
	result, err := l.drive(ctx, e, q, s, j)
	if err == nil {
		var got answers
		if got, err = l.collect(ctx, j.output, e.decoder()); err == nil {
			if result.Digest = got.digest(); result.Digest != want.digest() {
				err = &Mismatch{e.name, compare(want, got)}
			}
		}
	}
	return result, errors.Join(err, l.discard(e, j))
}

// warm runs an engine until the broker's JVM has compiled what that asks of it: until
// two runs in a row have cost the broker hardly less than the cheapest before. The
// first runs of a new broker cost it several times as much, those with transactions
// the most, and whoever is measured meanwhile pays with the cores that they share.
func (l *lab) warm(ctx context.Context, e engine, q question, s *set) error {
	const most = 10
	var least time.Duration
	for run, steady := 0, 0; run < most && steady < 2; run++ {
		x, err := l.rehearse(ctx, e, q, s)
		if err != nil {
			return err
		}
		l.progress("warming up the broker: %.3f µs of its CPU per event", perEvent(x.Broker, x.Events))
		if run > 0 && x.Broker*10 >= least*9 {
			steady++
		} else {
			steady = 0
		}
		if run == 0 || x.Broker < least {
			least = x.Broker
		}
	}
	return nil
}

// rehearse lets an engine answer all of a set, without a look at its answers.
func (l *lab) rehearse(ctx context.Context, e engine, q question, s *set) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	j, err := l.prepare(ctx, e, q, s.name)
	if err != nil {
		return sample{}, err
	}
	x, err := l.drive(ctx, e, q, s, j)
	return x, errors.Join(err, l.discard(e, j))
}

// drive starts the engine and ends it when it has committed the whole set.
func (l *lab) drive(ctx context.Context, e engine, q question, s *set, j job) (sample, error) {
	result := sample{Engine: e.name, Set: s.name, Events: s.events}
	before, err := l.brokerCPU()
	if err != nil {
		return result, err
	}
	began := time.Now()
	p, err := start(ctx, e.name, j.state, filepath.Join(l.cache, "logs"), e.env(), e.args(l, q, j)...)
	if err != nil {
		return result, err
	}
	result.Peak, err = l.finished(ctx, e, p, j, s.ends)
	result.Wall = time.Since(began)
	if err = cmp.Or(err, p.stop(time.Minute)); err != nil {
		return result, err
	}
	after, err := l.brokerCPU()
	result.Broker = after - before
	result.CPU = p.usage()
	return result, err
}

// finished waits until the group has committed every offset, and returns the
// most memory seen meanwhile. Flink reads to the end and ends by itself: it
// commits offsets before results.
func (l *lab) finished(ctx context.Context, e engine, p *process, j job, ends []int64) (peak int64, err error) {
	for {
		select {
		case <-p.ended:
			if err := p.failure(); err != nil || e.kind == flink {
				return peak, err
			}
			return peak, fmt.Errorf("%s ended before the end of its input; see %s", p.name, p.log)
		case <-ctx.Done():
			return peak, fmt.Errorf("cannot wait for %s any longer: %w; see %s", p.name, ctx.Err(), p.log)
		case <-time.After(50 * time.Millisecond):
		}
		peak = max(peak, p.peak())
		if e.kind == flink {
			continue
		}
		committed, err := l.admin.Committed(ctx, j.group, j.input, allPartitions)
		if err != nil {
			return peak, err
		}
		if slices.EqualFunc(committed, ends, func(c kafka.Committed, end int64) bool { return c.Offset >= end }) {
			return max(peak, p.peak()), nil
		}
	}
}
