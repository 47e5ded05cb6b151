package task_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"parallax.example/internal/broker"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/task"
)

const (
	partitions = 4
	patience   = 40 * time.Second
)

const views = `
time: {believed: {count: 3, of: 16}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 10m}
  - {name: sliding, window: {hopping: 2h, every: 30m}, lateness: 0s}
`

// lab is a broker with topics, a recorded input, and what it should lead to.
type lab struct {
	t      *testing.T
	kafka  kafka.Config
	topics kafka.Topics
	views  *view.File
	log    []oracle.Record
	ends   []int64

	session time.Duration // after which a dead member is out; transactions have two thirds
	changed bool          // the topics hold answers to former views too
}

// foreign says that what is said of a view answers a former views file.
func (l *lab) foreign(id []byte) bool {
	if len(id) == 0 {
		return false
	}
	known := slices.ContainsFunc(l.views.Views, func(v view.View) bool { return v.ID() == string(id) })
	if !known && !l.changed {
		l.t.Errorf("an answer to the view %q, which was not asked", id)
	}
	return !known
}

func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	b, err := broker.Start(broker.Config{})
	must(t, err)
	t.Cleanup(b.Close)
	l := &lab{t: t, kafka: kafka.Config{Brokers: b.Addr()}, topics: kafka.NewTopics("test"), ends: make([]int64, partitions), session: 6 * time.Second}
	l.views = l.parse(views)
	must(t, l.admin().EnsureTopics(t.Context(), l.topics.Specs(partitions, 1)))
	return l
}

func (l *lab) parse(text string) *view.File {
	l.t.Helper()
	f, err := view.Parse("views.yaml", []byte(text))
	must(l.t, err)
	return f
}

func (l *lab) admin() *kafka.Admin {
	a, err := kafka.NewAdmin(l.kafka)
	must(l.t, err)
	l.t.Cleanup(a.Close)
	return a
}

// fill sends n records to each partition: events in rough order of time, with
// late ones, duplicates, stale ones, events without an id, JSON and garbage.
// With end, the generator's punctuation closes everything.
func (l *lab) fill(seed uint64, n int, end bool) {
	l.t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	p, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{OnDelivery: func(d kafka.Delivery) {
		if d.Err != nil {
			l.t.Error(d.Err)
		}
	}})
	must(l.t, err)
	defer p.Close()
	send := func(partition int32, value []byte) {
		must(l.t, p.Produce(l.t.Context(), kafka.Record{Topic: l.topics.Events, Partition: partition, Value: value}, 0))
		l.log = append(l.log, oracle.Record{Partition: partition, Offset: l.ends[partition], Value: value})
		l.ends[partition]++
	}
	const minute = int64(60_000_000)
	for part := range int32(partitions) {
		producer := fmt.Appendf(nil, "p%d-%d", part, seed)
		for i := range n {
			e := event.Event{
				Producer: producer, Seq: uint64(i), HasID: true,
				Key: fmt.Appendf(nil, "k%d", r.IntN(7)), Value: r.Int64N(1000) - 300,
				Time: int64(seed)*1000*minute + int64(i)*minute/4 - r.Int64N(10)*r.Int64N(20)*minute + 300*minute,
			}
			switch r.IntN(25) {
			case 0:
				e.Seq = uint64(r.IntN(i + 1)) // a duplicate, if it was sent
			case 1:
				e.Producer, e.Seq, e.HasID = nil, 0, false
			case 2:
				send(part, []byte("garbage"))
				continue
			case 3:
				send(part, event.AppendJSON(nil, &e))
				continue
			case 4:
				if i > n/2 {
					e.Producer = []byte("jumper")
					e.Seq = uint64(r.IntN(2)) << 22 // the small ones become stale
				}
			}
			send(part, event.AppendProto(nil, &e))
		}
		if end {
			send(part, event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark}))
		}
	}
	must(l.t, p.Flush(l.t.Context()))
}

func (l *lab) config(slot string) task.Config {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("TASK_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("slot", slot)
	}
	return task.Config{
		Kafka: task.Brokers(l.kafka), Topics: l.topics, Views: l.views, Log: log,
		Group: "test-processor", Slot: slot,
		Pace:               task.Pace{CommitInterval: 20 * time.Millisecond, CommitRecords: 100},
		TransactionTimeout: l.session * 2 / 3, SessionTimeout: l.session, RestoreStall: 10 * time.Second,
		Counters: &task.Counters{},
	}
}

// running is a loop in a goroutine.
type running struct {
	lab      *lab
	counters *task.Counters
	cancel   context.CancelFunc
	done     chan error
}

func (l *lab) start(c task.Config) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{l, c.Counters, cancel, make(chan error, 1)}
	go func() { r.done <- task.New(c).Run(ctx) }()
	l.t.Cleanup(cancel)
	return r
}

// stop ends the loop gracefully.
func (r *running) stop() {
	r.lab.t.Helper()
	r.cancel()
	must(r.lab.t, r.wait())
}

// wait returns how the loop ended.
func (r *running) wait() error {
	r.lab.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		r.lab.t.Fatal("the loop does not end")
		return nil
	}
}

func (r *running) total(figure func(task.Counts) uint64) (n uint64) {
	for _, c := range r.counters.Snapshot() {
		n += figure(c)
	}
	return n
}

// await polls until done, failing at once when a loop ends by itself.
func (l *lab) await(what string, done func() bool, loops ...*running) {
	l.t.Helper()
	for end := time.Now().Add(patience); !done(); {
		for _, r := range loops {
			select {
			case err := <-r.done:
				l.t.Fatalf("waiting for %s, a loop ended: %v", what, err)
			default:
			}
		}
		if time.Now().After(end) {
			for _, r := range loops {
				l.t.Logf("%+v", r.counters.Snapshot())
			}
			l.t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// drained says that the group has committed the whole input.
func (l *lab) drained(loops ...*running) func() bool {
	return func() bool {
		reached := make([]int64, partitions)
		for _, r := range loops {
			for _, c := range r.counters.Snapshot() {
				reached[c.Partition] = max(reached[c.Partition], c.Offset)
			}
		}
		return slices.Equal(reached, l.ends)
	}
}

// read returns the committed values of a topic.
func (l *lab) read(topic string, visit func(offset int64, value []byte)) {
	l.t.Helper()
	all := []int32{0, 1, 2, 3}
	ends, err := l.admin().Offsets(l.t.Context(), topic, all)
	must(l.t, err)
	var ranges []kafka.Range
	for _, o := range ends {
		if o.Stable != o.High {
			l.t.Errorf("topic %q, partition %d: a transaction is still open", topic, o.Partition)
		}
		ranges = append(ranges, kafka.Range{Topic: topic, Partition: o.Partition, From: o.Earliest, To: o.Stable})
	}
	must(l.t, kafka.ReadTo(l.t.Context(), l.kafka, kafka.ReaderConfig{}, ranges, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			visit(b.Offsets[i], slices.Clone(b.Value(i)))
		}
		return nil
	}))
}

// verify compares everything that is visible with the oracle's answer: each
// final row, exclusion and dead letter once, and no transaction torn.
func (l *lab) verify() {
	l.t.Helper()
	want := oracle.Stream(l.views, l.log)
	ordinals := map[[2]uint64][]uint32{} // by partition and transaction
	note := func(p result.Place) {
		k := [2]uint64{uint64(p.Partition), p.Transaction}
		ordinals[k] = append(ordinals[k], p.Ordinal)
	}
	rows := map[result.Cell]result.Agg{}
	last := map[result.Cell]result.Place{}
	l.read(l.topics.Results, func(_ int64, value []byte) {
		var r result.Result
		must(l.t, r.Decode(value))
		if l.foreign(r.View) {
			return
		}
		note(r.Place)
		before := last[r.Cell()]
		if r.Place.Transaction < before.Transaction || r.Place.Transaction == before.Transaction && r.Place.Ordinal <= before.Ordinal {
			l.t.Errorf("%v: a row of %+v follows one of %+v", r.Cell(), r.Place, before)
		}
		last[r.Cell()] = r.Place
		if _, twice := rows[r.Cell()]; twice {
			l.t.Errorf("a %s row of %v follows the final one", r.Stage, r.Cell())
		}
		if r.Stage == result.Final {
			rows[r.Cell()] = r.Agg
		}
	})
	if d := gocmp.Diff(want.Rows, rows); d != "" {
		l.t.Errorf("final rows (-oracle +processor):\n%s", d)
	}
	var excluded []oracle.Exclusion
	l.read(l.topics.Excluded, func(_ int64, value []byte) {
		var x result.Exclusion
		must(l.t, x.Decode(value))
		if l.foreign(x.View) {
			return
		}
		note(x.Place)
		excluded = append(excluded, oracle.Exclusion{Partition: x.Place.Partition, Offset: x.Place.Offset, Cause: x.Cause, View: string(x.View), Span: x.Span, Watermark: x.Watermark})
	})
	slices.SortStableFunc(excluded, func(x, y oracle.Exclusion) int {
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.View, y.View), cmp.Compare(x.Span.Start, y.Span.Start))
	})
	if d := gocmp.Diff(want.Excluded, excluded); d != "" {
		l.t.Errorf("exclusions (-oracle +processor):\n%s", d)
	}
	dead := 0
	l.read(l.topics.DeadLetters, func(_ int64, value []byte) {
		var x result.DeadLetter
		must(l.t, x.Decode(value))
		note(x.Place)
		dead++
	})
	if dead != len(want.Dead) {
		l.t.Errorf("%d dead letters, want %d", dead, len(want.Dead))
	}
	for k, list := range ordinals {
		if l.changed {
			break // views are left out, and a rebuild counts transactions of its own
		}
		slices.Sort(list)
		for i, o := range list {
			if o != uint32(i) {
				l.t.Fatalf("partition %d, transaction %d is torn or doubled: ordinals %v", k[0], k[1], list)
			}
		}
	}
	if len(want.Rows) == 0 || len(want.Excluded) == 0 || len(want.Dead) == 0 {
		l.t.Error("the input is too tame to show anything")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func transactions(c task.Counts) uint64 { return c.Transactions }

func aborts(c task.Counts) uint64 { return c.Aborts }

func recreated(c task.Counts) uint64 { return c.Recreated }

func owned(c task.Counts) uint64 {
	if c.Owned {
		return 1
	}
	return 0
}

// commit commits something for the group, as another program would.
func (l *lab) commit(group string, c kafka.Committed) {
	l.t.Helper()
	assigned := false
	m, err := kafka.NewConsumer(l.kafka, kafka.GroupConfig{Group: group, Topic: l.topics.Events, Instance: "slot-0", SessionTimeout: 6 * time.Second,
		OnAssigned: func(p []int32) ([]int64, error) { assigned = len(p) > 0; return make([]int64, len(p)), nil },
		OnRevoked:  func([]int32, bool) {}})
	must(l.t, err)
	defer m.Close()
	l.await("an assignment", func() bool {
		_, err := m.Poll(50 * time.Millisecond)
		must(l.t, err)
		return assigned
	})
	x, err := kafka.NewTxn(l.kafka, kafka.TxnConfig{ID: "foreign"})
	must(l.t, err)
	defer x.Close()
	proof, err := m.Metadata()
	must(l.t, err, x.Init(l.t.Context()), x.Begin(), x.SendOffsets(l.topics.Events, []kafka.Committed{c}, proof), x.Commit())
}
