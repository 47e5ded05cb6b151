package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
)

// Config says what to collect.
type Config struct {
	Kafka  kafka.Config
	Topics kafka.Topics
	Views  *view.File
	Group  string           // the processor's consumer group: its commits tell how far it has come
	Now    func() time.Time // the wall clock that latencies end at
}

// Collector tails the stream's topics from their beginning. Its methods may be
// called from any goroutine.
type Collector struct {
	config Config
	admin  *kafka.Admin
	cancel context.CancelFunc
	done   chan struct{}
	inputs []int32 // partitions of the events topic

	mu       sync.Mutex
	state    *State
	next     map[place]int64 // what is read next, by place
	old      map[place]int64 // below: it was there before the collector
	progress []Progress
	err      error // why collecting ended early
}

type place struct {
	topic     string
	partition int32
}

// Progress is how far the processor has come in one input partition.
type Progress struct {
	Partition int32
	Committed int64 // the offset it reads next; −1 if it has committed nothing
	End       int64 // of what there is to read
}

// markerPatience bounds the wait for markers that do not come.
const markerPatience = 10 * time.Second

// how often a collector asks how far the processor has come.
const askEvery = 500 * time.Millisecond

// Start begins to collect. The topics must exist.
func Start(ctx context.Context, c Config) (*Collector, error) {
	admin, err := kafka.NewAdmin(c.Kafka)
	if err != nil {
		return nil, err
	}
	k := &Collector{config: c, admin: admin, done: make(chan struct{}), state: NewState(c.Views), next: map[place]int64{}, old: map[place]int64{}}
	starts, err := k.starts(ctx)
	if err == nil {
		err = k.markers(ctx)
	}
	if err != nil {
		admin.Close()
		return nil, err
	}
	reader, err := kafka.NewReader(c.Kafka, kafka.ReaderConfig{}, starts...)
	if err != nil {
		admin.Close()
		return nil, err
	}
	ctx, k.cancel = context.WithCancel(context.WithoutCancel(ctx))
	var both sync.WaitGroup
	both.Go(func() { k.read(ctx, reader) })
	both.Go(func() { k.watch(ctx) })
	go func() {
		both.Wait()
		admin.Close()
		close(k.done)
	}()
	return k, nil
}

// starts finds the first offset of every partition, and what is there already.
func (k *Collector) starts(ctx context.Context) ([]kafka.Start, error) {
	t := k.config.Topics
	events, err := k.admin.Topic(ctx, t.Events)
	if err != nil {
		return nil, err
	}
	k.inputs = partitions(events)
	var starts []kafka.Start
	for _, topic := range []string{t.Results, t.Excluded, t.DeadLetters, t.Markers} {
		info, err := k.admin.Topic(ctx, topic)
		if err != nil {
			return nil, err
		}
		offsets, err := k.admin.Offsets(ctx, topic, partitions(info))
		if err != nil {
			return nil, err
		}
		for _, o := range offsets {
			if err := whole(topic, o); err != nil && topic != t.Results { // compaction drops older rows on purpose
				return nil, err
			}
			at := place{topic, o.Partition}
			k.next[at], k.old[at] = o.Earliest, o.Stable
			starts = append(starts, kafka.Start{Topic: topic, Partition: o.Partition, Offset: o.Earliest})
		}
	}
	return starts, nil
}

// markers reads those that are there already, so that what they explain is no
// doubt in the meantime.
func (k *Collector) markers(ctx context.Context) error {
	var ranges []kafka.Range
	for at, end := range k.old {
		if at.topic == k.config.Topics.Markers {
			ranges = append(ranges, kafka.Range{Topic: at.topic, Partition: at.partition, From: k.next[at], To: end})
		}
	}
	err := kafka.ReadTo(ctx, k.config.Kafka, kafka.ReaderConfig{}, ranges, markerPatience, func(b *kafka.Batch) error { return k.take(b, unmeasured) })
	if err != nil {
		return fmt.Errorf("cannot read the markers: %w", err)
	}
	return nil
}

// whole says that a partition still has its first record.
func whole(topic string, o kafka.Offsets) error {
	if o.Earliest == 0 {
		return nil
	}
	return &compare.Refusal{
		Reason: fmt.Sprintf("topic %q, partition %d begins at offset %d: what it said before is lost", topic, o.Partition, o.Earliest),
		Advice: "Let the topic keep its records longer, and process from the beginning under a new topic prefix.",
	}
}

func partitions(t kafka.TopicInfo) []int32 {
	list := make([]int32, t.Partitions)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}

// read takes batches in until the collector stops or something cannot be read.
func (k *Collector) read(ctx context.Context, reader *kafka.Reader) {
	defer func() { _ = reader.Close() }() // it holds nothing
	for ctx.Err() == nil {
		batches, err := reader.Poll(100 * time.Millisecond)
		arrival := k.config.Now().UnixMilli()
		k.mu.Lock()
		for _, b := range batches {
			if err == nil {
				err = k.take(b, arrival)
			}
		}
		if err != nil {
			k.err = err
		}
		k.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take adds one batch; k.mu is held.
func (k *Collector) take(b *kafka.Batch, arrival int64) error {
	at := place{b.Topic, b.Partition}
	for i := range b.Len() {
		var err error
		switch b.Topic {
		case k.config.Topics.Results:
			when := arrival
			if b.Offsets[i] < k.old[at] {
				when = unmeasured
			}
			err = k.state.Result(b.Value(i), when)
		case k.config.Topics.Excluded:
			err = k.state.Exclusion(b.Value(i))
		case k.config.Topics.DeadLetters:
			err = k.state.DeadLetter(b.Value(i))
		case k.config.Topics.Markers:
			if b.Offsets[i] >= k.next[at] { // or it was read at the start
				err = k.state.Marker(b.Value(i))
			}
		}
		if err != nil {
			return fmt.Errorf("cannot collect from topic %q, partition %d, offset %d: %w", b.Topic, b.Partition, b.Offsets[i], err)
		}
	}
	k.next[at] = max(k.next[at], b.Next)
	return nil
}

// watch asks now and then how far the processor has come. A failure only makes
// the figures old; CatchUp, which relies on them, asks for itself.
func (k *Collector) watch(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if list, err := k.ask(ctx); err == nil {
			k.mu.Lock()
			k.progress = list
			k.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (k *Collector) ask(ctx context.Context) ([]Progress, error) {
	ends, err := k.admin.Offsets(ctx, k.config.Topics.Events, k.inputs)
	if err != nil {
		return nil, err
	}
	commits, err := k.admin.Committed(ctx, k.config.Group, k.config.Topics.Events, k.inputs)
	if err != nil {
		return nil, err
	}
	list := make([]Progress, len(k.inputs))
	for i, p := range k.inputs {
		list[i] = Progress{Partition: p, Committed: commits[i].Offset, End: ends[i].Stable}
	}
	return list, nil
}

// Err says why the collecting has ended early; nil while it goes on.
func (k *Collector) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Stop ends the collecting. It returns the error that ended it before, if any.
func (k *Collector) Stop() error {
	k.cancel()
	<-k.done
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// CatchUp waits until the processor has committed every record of the cut (ends
// holds the offset after the last one, by partition) and the collector has read
// all that was committed by then, stops, and returns what the comparison needs.
// It gives up when nothing has advanced for the time stall.
func (k *Collector) CatchUp(ctx context.Context, ends map[int32]int64, stall time.Duration) (compare.Stream, Timing, error) {
	defer func() { _ = k.Stop() }() // an error of reading has come out of behind
	if err := k.processed(ctx, ends, stall); err != nil {
		return compare.Stream{}, Timing{}, err
	}
	readable := map[place]int64{}
	for _, topic := range []string{k.config.Topics.Results, k.config.Topics.Excluded, k.config.Topics.DeadLetters, k.config.Topics.Markers} {
		offsets, err := k.admin.Offsets(ctx, topic, k.partitionsOf(topic))
		if err != nil {
			return compare.Stream{}, Timing{}, err
		}
		for _, o := range offsets {
			// Not the last stable offset: markers reach the results and the committed
			// offsets at different times, so it may still lie before what is committed.
			readable[place{topic, o.Partition}] = o.High
		}
	}
	err := wait(ctx, stall, func() (bool, int64, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		var sum int64
		behind := false
		for at, end := range readable {
			sum += k.next[at]
			behind = behind || k.next[at] < end
		}
		return !behind, sum, k.err
	})
	if errors.Is(err, errStalled) {
		err = fmt.Errorf("cannot read the stream's results to their end: nothing came for %s; a transaction may never have ended", stall)
	}
	if err != nil {
		return compare.Stream{}, Timing{}, err
	}
	if err := k.Stop(); err != nil {
		return compare.Stream{}, Timing{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.state.Whole(); err != nil {
		return compare.Stream{}, Timing{}, err
	}
	return k.state.Stream(), k.state.Timing(), nil
}

func (k *Collector) partitionsOf(topic string) []int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []int32
	for at := range k.next {
		if at.topic == topic {
			list = append(list, at.partition)
		}
	}
	slices.Sort(list)
	return list
}

// processed waits until the processor's commits reach the ends.
func (k *Collector) processed(ctx context.Context, ends map[int32]int64, stall time.Duration) error {
	var late Progress
	var end int64
	err := wait(ctx, stall, func() (bool, int64, error) {
		k.mu.Lock()
		err := k.err
		k.mu.Unlock()
		if err != nil {
			return false, 0, err
		}
		list, err := k.ask(ctx)
		if err != nil {
			return false, 0, err
		}
		done, sum := true, int64(0)
		for p, to := range ends {
			i := slices.IndexFunc(list, func(q Progress) bool { return q.Partition == p })
			if i < 0 {
				return false, 0, fmt.Errorf("cannot compare: the lake holds partition %d and topic %q has %d partitions", p, k.config.Topics.Events, len(list))
			}
			sum += list[i].Committed
			if list[i].Committed < to {
				done, late, end = false, list[i], to
			}
		}
		return done, sum, nil
	})
	if errors.Is(err, errStalled) {
		return &compare.Refusal{
			Reason: fmt.Sprintf("the stream has committed partition %d up to offset %d, the lake holds it up to %d, and it has not moved for %s", late.Partition, late.Committed, end, stall),
			Advice: fmt.Sprintf("Start a processor (group %q), or look into its log for why it stopped.", k.config.Group),
		}
	}
	return err
}

var errStalled = errors.New("nothing advanced")

// wait asks until done, and gives up when the sum stays the same for stall.
func wait(ctx context.Context, stall time.Duration, ask func() (done bool, sum int64, err error)) error {
	last, moved := int64(-1<<62), time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		done, sum, err := ask()
		switch {
		case err != nil:
			return err
		case done:
			return nil
		case sum != last:
			last, moved = sum, time.Now()
		case time.Since(moved) > stall:
			return errStalled
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
