package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/internal/telemetry"
)

// Deps are what an ingester takes from outside. The zero value is the usual one.
type Deps struct {
	Log   *slog.Logger     // nil discards
	Now   func() time.Time // nil is time.Now
	NewID func() string    // nil is lake.NewID; never the same twice
	Kafka Cluster          // nil is the brokers of the configuration
	// Probe is called at each step of a commit, for tests; nil is the failpoints.
	Probe func(name string) error
}

// Ingester is one member of the group. All but Until and Counters belongs to
// the goroutine of Run.
type Ingester struct {
	config Config
	deps   Deps
	count  Counters
	cut    atomic.Pointer[[]int64]

	dir      *lake.Dir
	admin    Admin
	consumer Consumer
	topic    kafka.TopicInfo
	owned    map[int32]*partition
	looked   time.Time // when the ends of the log were last asked for
}

const (
	pollWait  = 50 * time.Millisecond
	lagPeriod = 5 * time.Second // between two looks at the ends of the log
	graceful  = time.Second     // at the end, until the last commit begins
)

// New checks the configuration; nothing is opened before Run.
func New(c Config, deps Deps) (*Ingester, error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("cannot configure the ingest: %w", faults[0])
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.NewID == nil {
		deps.NewID = lake.NewID
	}
	if deps.Kafka == nil {
		deps.Kafka = brokers{kafka.Config{Brokers: c.Brokers, ClientID: "parallax-ingest", Log: deps.Log}}
	}
	return &Ingester{config: c, deps: deps, owned: map[int32]*partition{}}, nil
}

// Counters may be read at any time.
func (g *Ingester) Counters() *Counters { return &g.count }

// Until lets Run end by itself as soon as the lake holds every partition up to
// its end offset, whichever ingester brought it there. cut has one offset for
// each partition. It may be called at any time, from any goroutine.
func (g *Ingester) Until(cut []int64) {
	cut = slices.Clone(cut)
	g.cut.Store(&cut)
}

// Run ingests until ctx ends or the cut is reached. At the end it commits what
// it has read. The error is nil at a regular end; otherwise it says what a
// person can do, and the lake is as good as before.
func (g *Ingester) Run(ctx context.Context) error {
	registry := telemetry.NewRegistry()
	g.count.Register(registry)
	return telemetry.Observed(ctx, g.config.Metrics, registry, g.run)
}

func (g *Ingester) run(ctx context.Context) error {
	stopped := func(err error) bool { return ctx.Err() != nil && errors.Is(err, context.Canceled) }
	if err := g.open(ctx); stopped(err) {
		return nil
	} else if err != nil {
		return err
	}
	err := g.loop(ctx)
	if stopped(err) || err == nil && ctx.Err() != nil {
		err = g.finish(context.WithoutCancel(ctx))
	}
	// The consumer first: its end still takes the partitions away.
	err = errors.Join(err, g.consumer.Close())
	g.admin.Close()
	return errors.Join(err, g.dir.Close())
}

func (g *Ingester) open(ctx context.Context) (err error) {
	if g.dir, err = lake.Create(g.config.Lake); err != nil {
		return err
	}
	g.dir.Probe = g.deps.Probe
	if g.admin, err = g.deps.Kafka.Admin(); err != nil {
		return errors.Join(err, g.dir.Close())
	}
	if err = g.join(ctx); err != nil {
		g.admin.Close()
		return errors.Join(err, g.dir.Close())
	}
	return nil
}

func (g *Ingester) join(ctx context.Context) (err error) {
	if err = g.admin.Ping(ctx); err != nil {
		return err
	}
	name := kafka.NewTopics(g.config.TopicPrefix).Events
	if g.topic, err = g.admin.Topic(ctx, name); err != nil {
		return err
	}
	if g.config.ToEnd {
		log, err := g.admin.Offsets(ctx, name, g.partitions())
		if err != nil {
			return err
		}
		cut := make([]int64, len(log))
		for i := range log {
			cut[i] = log[i].Stable
		}
		g.Until(cut)
	}
	g.consumer, err = g.deps.Kafka.Consumer(kafka.GroupConfig{
		Group: g.config.Group, Instance: g.config.Instance, Topic: name, SessionTimeout: g.config.Session,
		OnAssigned: func(parts []int32) ([]int64, error) { return g.assigned(ctx, parts) },
		OnRevoked:  g.revoked,
	})
	return err
}

func (g *Ingester) partitions() []int32 {
	all := make([]int32, g.topic.Partitions)
	for p := range all {
		all[p] = int32(p)
	}
	return all
}

func (g *Ingester) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		batches, err := g.consumer.Poll(pollWait)
		if err != nil {
			return err
		}
		now := g.deps.Now()
		for _, b := range batches {
			if p := g.owned[b.Partition]; p != nil {
				g.count.Read.Add(int64(b.Len()))
				if err := g.take(ctx, p, b, now); err != nil {
					return err
				}
			}
		}
		for _, p := range g.inOrder() {
			if p.old(&g.config, now) {
				if _, err := g.commit(ctx, p); err != nil {
					return err
				}
			}
		}
		if done, err := g.reached(ctx); done || err != nil {
			return err
		}
		g.look(ctx, now)
	}
	return nil
}

// inOrder are the owned partitions by number, so that runs resemble each other.
func (g *Ingester) inOrder() []*partition {
	list := make([]*partition, 0, len(g.owned))
	for _, n := range slices.Sorted(maps.Keys(g.owned)) {
		list = append(list, g.owned[n])
	}
	return list
}

// take buffers a batch and ends ranges where they are full.
func (g *Ingester) take(ctx context.Context, p *partition, b *kafka.Batch, now time.Time) error {
	for i, offset := range b.Offsets {
		if offset < p.position {
			continue // the chain has it
		}
		if p.full(&g.config, b.Timestamps[i]) {
			// Lost to another ingester, the rest of the batch is of the past.
			if won, err := g.commit(ctx, p); !won || err != nil {
				return err
			}
			if failpoint.Mutant("ingest/record-lost") {
				p.position = offset + 1
				continue
			}
		}
		p.add(offset, b.Timestamps[i], b.Value(i), now)
	}
	if b.AtEnd { // beyond control records and aborted transactions
		p.position = max(p.position, b.Next)
	}
	p.high = max(p.high, p.position)
	return nil
}

// commit writes the range under way and begins the next one. won is false when
// another ingester was first; the partition then goes on behind its range.
func (g *Ingester) commit(ctx context.Context, p *partition) (won bool, err error) {
	// The log that was read since the assignment is the one whose id is the
	// same now: an id never comes back.
	topic, err := g.describe(ctx)
	if err != nil {
		return false, err
	}
	if topic != g.topic {
		return false, fmt.Errorf("cannot go on with topic %q: it was deleted and made again, or its partition count has changed; begin a new lake", topic.Name)
	}
	m := &lake.Manifest{
		Version: lake.Version, Topic: topic.Name, TopicID: topic.ID, Partitions: int32(topic.Partitions),
		Partition: p.number, First: p.first, Start: p.start, End: p.position,
		Writer: g.config.writer(), Created: g.deps.Now().UTC().Truncate(time.Millisecond),
	}
	err = p.buffer.write(g.dir, g.deps.NewID(), m)
	if errors.Is(err, lake.ErrTaken) {
		g.count.Taken.Add(1)
		g.deps.Log.Warn("another ingester was first; going on behind its range", "partition", p.number, "start", p.start)
		return false, g.resume(ctx, p)
	}
	if err != nil {
		return false, err
	}
	p.begin(m.End)
	g.counted(m)
	return true, nil
}

func (g *Ingester) counted(m *lake.Manifest) {
	g.count.Rows.Add(m.Counts.Events)
	g.count.DeadLetters.Add(m.Counts.DeadLetters)
	g.count.Punctuations.Add(m.Counts.Punctuations)
	g.count.Manifests.Add(1)
	g.count.Files.Add(int64(len(m.Files)))
	for i := range m.Files {
		g.count.Bytes.Add(m.Files[i].Size)
	}
	g.deps.Log.Debug("committed", "partition", m.Partition, "start", m.Start, "end", m.End, "rows", m.Counts.Events, "files", len(m.Files))
}

// reached commits the partitions that have come to the cut, and says whether
// the lake holds all of it.
func (g *Ingester) reached(ctx context.Context) (bool, error) {
	cut := g.cut.Load()
	if cut == nil {
		return false, nil
	}
	if len(*cut) != g.topic.Partitions {
		return false, fmt.Errorf("cannot stop at a cut of %d partitions: topic %q has %d", len(*cut), g.topic.Name, g.topic.Partitions)
	}
	done := true
	for _, p := range g.inOrder() {
		end := (*cut)[p.number]
		if p.start < end && p.position >= end {
			if _, err := g.commit(ctx, p); err != nil {
				return false, err
			}
		}
		done = done && p.start >= end
	}
	if !done {
		return false, nil
	}
	for n, end := range *cut {
		if g.owned[int32(n)] != nil {
			continue
		}
		chain, err := g.dir.Chain(g.topic.Name, int32(n))
		if err != nil {
			return false, err
		}
		if next, begun := chain.Next(); next < end || (!begun && end > 0) {
			return false, nil // another ingester's, still under way
		}
	}
	return true, nil
}

// finish commits what was read, as far as that goes in the time a program has
// for its end. The rest is dropped, which loses nothing: the next ingester
// reads it again.
func (g *Ingester) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*graceful) // Kafka may go now
	defer cancel()
	begin := g.deps.Now()
	if err := g.answers(ctx); err != nil {
		g.deps.Log.Warn("the last records are left for the next start", "cause", err)
		return nil
	}
	for _, p := range g.inOrder() {
		if p.empty() {
			continue
		}
		if g.deps.Now().Sub(begin) > graceful {
			g.deps.Log.Warn("the last records are left for the next start", "cause", "there was no time for them", "partition", p.number)
			continue
		}
		if _, err := g.commit(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// describe asks for the topic, for as long as no broker answers: what was read
// waits in memory, and nobody else loses by it.
func (g *Ingester) describe(ctx context.Context) (kafka.TopicInfo, error) {
	for {
		topic, err := g.admin.Topic(ctx, g.topic.Name)
		var away *kafka.UnreachableError
		if err == nil || ctx.Err() != nil || !errors.As(err, &away) && !kafka.Transient(err) {
			return topic, err
		}
		g.deps.Log.Warn("cannot commit now; trying on", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (g *Ingester) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, graceful)
	defer cancel()
	_, err := g.admin.Topic(ctx, g.topic.Name)
	return err
}

// look measures the lag; a broker that does not answer is not this one's worry.
func (g *Ingester) look(ctx context.Context, now time.Time) {
	if now.Sub(g.looked) >= lagPeriod {
		g.looked = now
		numbers := slices.Sorted(maps.Keys(g.owned))
		if log, err := g.admin.Offsets(ctx, g.topic.Name, numbers); err == nil {
			for i, n := range numbers {
				g.owned[n].high = max(g.owned[n].high, log[i].High)
			}
		}
	}
	var lag int64
	for _, p := range g.owned {
		lag += p.high - p.start
	}
	g.count.Lag.Store(lag)
}
