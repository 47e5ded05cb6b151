package torture

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"parallax.example/cmd/parallax/torture/check"
	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// tail follows the topics of a run while it goes on: what a reader of committed
// records sees, and when.
type tail struct {
	topics kafka.Topics
	cancel context.CancelFunc
	done   chan struct{}
	close  func() error // of the reader, once

	mu      sync.Mutex
	seen    map[string][]check.Record
	commits [partitions][]commit
	lost    [partitions]int64 // the end of what a processor without exactly once has skipped
	err     error
}

// commit is a transaction of a processor that became visible.
type commit struct {
	next        int64 // the input offset behind it
	transaction uint64
	records     uint32 // that it told
	cells       uint64 // open after it, of all views
	at          time.Time
}

// follow begins at the first offset of every topic; the topics must be new.
func follow(config kafka.Config, topics kafka.Topics) (*tail, error) {
	var starts []kafka.Start
	for _, topic := range []string{topics.Events, topics.Results, topics.Excluded, topics.DeadLetters, topics.Changelog} {
		for p := range int32(partitions) {
			starts = append(starts, kafka.Start{Topic: topic, Partition: p})
		}
	}
	starts = append(starts, kafka.Start{Topic: topics.Markers})
	reader, err := kafka.NewReader(config, kafka.ReaderConfig{Keys: true}, starts...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &tail{topics: topics, cancel: cancel, done: make(chan struct{}), close: sync.OnceValue(reader.Close), seen: map[string][]check.Record{}}
	go func() {
		defer close(t.done)
		for ctx.Err() == nil {
			batches, err := reader.Poll(20 * time.Millisecond)
			t.take(batches, err, time.Now())
			if err != nil {
				return
			}
		}
	}()
	return t, nil
}

func (t *tail) take(batches []*kafka.Batch, err error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	for _, b := range batches {
		for i := range b.Len() {
			r := record(b, i)
			t.seen[b.Topic] = append(t.seen[b.Topic], r)
			if b.Topic == t.topics.Markers {
				t.mark(r.Value)
			}
			if b.Topic != t.topics.Changelog {
				continue
			}
			if m, ok, err := engine.ReadMeta(r.Key, r.Value); err == nil && ok { // the checker tells of others
				t.commits[b.Partition] = append(t.commits[b.Partition], commit{m.Next, m.Transaction, m.Records, cells(&m), now})
			}
		}
	}
}

// mark takes in what is lost: it is in no state, so where nothing follows no commit
// tells how far the processor has come.
func (t *tail) mark(value []byte) {
	var m struct {
		Kind      string
		Partition int32
		Until     int64
	}
	if json.Unmarshal(value, &m) == nil && m.Kind == "skipped" && m.Partition >= 0 && m.Partition < partitions {
		t.lost[m.Partition] = max(t.lost[m.Partition], m.Until)
	}
}

func cells(m *engine.Meta) (sum uint64) {
	for i := range m.Views {
		sum += m.Views[i].Cells
	}
	return sum
}

func record(b *kafka.Batch, i int) check.Record {
	return check.Record{Partition: b.Partition, Offset: b.Offsets[i], Key: slices.Clone(b.Key(i)), Value: slices.Clone(b.Value(i))}
}

func (t *tail) stop() error {
	t.cancel()
	<-t.done
	return cmp.Or(t.err, t.close())
}

// failure is why the reader ended.
func (t *tail) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// count is how many records of a topic were seen.
func (t *tail) count(topic string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.seen[topic])
}

// committed is how far each partition's committed transactions have come, and what
// was skipped.
func (t *tail) committed() (next [partitions]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next = t.lost
	for p := range next {
		if n := len(t.commits[p]); n > 0 {
			next[p] = max(next[p], t.commits[p][n-1].next)
		}
	}
	return next
}

// answers is the number of input records that committed transactions are behind,
// and when the last of those became visible.
func (t *tail) answers() (sum int64, last time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.commits {
		if n := len(t.commits[p]); n > 0 {
			c := &t.commits[p][n-1]
			sum += c.next
			if c.at.After(last) {
				last = c.at
			}
		}
	}
	return sum, last
}

// cells are open now.
func (t *tail) cells() (sum uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.commits {
		if n := len(t.commits[p]); n > 0 {
			sum += t.commits[p][n-1].cells
		}
	}
	return sum
}

// live is what was seen of a topic, in the order of partitions and offsets.
func (t *tail) live(topic string) []check.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Clone(t.seen[topic])
	// Stable: within a partition in the order in which they came, which must be right.
	slices.SortStableFunc(list, func(a, b check.Record) int { return cmp.Compare(a.Partition, b.Partition) })
	return list
}
