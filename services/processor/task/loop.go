package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
)

// Config of a loop. Every field without a default must be set.
type Config struct {
	Kafka  Cluster
	Topics kafka.Topics
	Views  *view.File
	Log    *slog.Logger

	Guarantee Guarantee

	// Group is the consumer group, and the prefix of the transactional ids. Two
	// installations on one cluster must differ in it.
	Group string
	// Slot names this member among the group's, and stays the same over
	// restarts; "" joins as a new member each time.
	Slot string

	Pace
	MaxKeys int // open keys, and producers, of a partition; 0 is no limit
	Buffer  int // bytes that may be fetched ahead, of all partitions; 0 is the client's default

	TransactionTimeout time.Duration // the coordinator aborts a transaction that is open for longer
	SessionTimeout     time.Duration // a member that is silent for longer loses its partitions
	RestoreStall       time.Duration // a restore without any progress for so long is given up

	// Beside says that another processor works on the same input and tells of
	// what belongs to no view. The input may then begin where its log begins.
	Beside bool

	Counters *Counters
	// Probe, if set, is called at each step, for tests and faults; at Taking, Taken,
	// OffsetsSent and Committed by several partitions at once. Its error counts as
	// the error of that step; at Revoking the transaction is then left as it is.
	Probe func(step Step, partition int32) error
}

// Pace is what a loop trades: the age of what is visible, against the costs of
// making it so.
type Pace struct {
	CommitInterval time.Duration // how long a transaction collects; results are visible after it
	CommitRecords  int           // input records after which it commits sooner
	Prompt         bool          // a row that will not change is committed at once, with what came before it
	FetchWait      time.Duration // how long a broker may hold back an empty answer; 0 is the client's default
	Linger         time.Duration // how long output may wait for more; 0 is the client's default
}

// Step names a place in the life of a partition's owner.
type Step string

// The steps of taking over, in order.
const (
	Taking    Step = "taking"    // the partition's id is about to be taken
	Taken     Step = "taken"     // it is taken from whoever had it
	Restoring Step = "restoring" // a batch of the changelog is loaded
)

// The steps of a transaction, in order.
const (
	BeforeBegin   Step = "before-begin"   // there is input, and no transaction
	Begun         Step = "begun"          // the transaction is open, nothing is in it
	FirstProduced Step = "first-produced" // its first records are handed over
	Produced      Step = "produced"       // all records are
	OffsetsSent   Step = "offsets-sent"   // the input offset is in it too
	Committed     Step = "committed"      // it is committed, but the state does not know yet
)

// Steps beside these.
const (
	Revoking Step = "revoking" // the partition is about to be given up
	Moving   Step = "moving"   // a change of views has the partition's id
)

// Loop processes the partitions that its group gives it.
type Loop struct {
	config   Config
	ctx      context.Context // of Run, for the callbacks
	admin    Admin
	consumer Consumer
	source   kafka.TopicInfo
	tasks    map[int32]*task
	worked   bool // a state of these views was restored or made

	// bounds are offsets which partitions may not pass; nil is no bound at all.
	bounds map[int32]int64

	floor uint64 // transactions are counted from above it on, see engine.SetFloor
}

// New makes a loop; nothing is connected before Run.
func New(c Config) *Loop {
	if c.Kafka == nil || c.CommitInterval <= 0 || c.CommitRecords <= 0 || c.TransactionTimeout <= c.CommitInterval || c.Group == "" || c.Counters == nil || c.Log == nil {
		panic("BUG: incomplete task.Config")
	}
	return &Loop{config: c, tasks: make(map[int32]*task)}
}

// pollRecords is how much is read at once: some milliseconds of work, so that
// commits that have landed or are due do not wait.
const pollRecords = 4096

// grace is how long Run waits for the last commits after ctx ended: a broker
// that does not answer must not hold the process.
const grace = 1500 * time.Millisecond

// Run processes until ctx ends, then commits what is open, leaves the group and
// returns nil. Any other end is an error; a *Stop needs a person.
func (l *Loop) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- l.run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		l.config.Log.Warn("stopped before Kafka answered; the next start settles what is open")
		return nil
	}
}

func (l *Loop) run(ctx context.Context) (err error) {
	defer func() {
		if failed := l.close(); err == nil && ctx.Err() == nil {
			err = failed // otherwise it only repeats what is known
		}
	}()
	if err := l.connect(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if err := l.join(l.assigned, l.revoked); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := l.turn(); err != nil {
			return interrupted(ctx, err)
		}
	}
	return interrupted(ctx, l.finish())
}

// connect reaches the brokers and looks at the input.
func (l *Loop) connect(ctx context.Context) (err error) {
	l.ctx = ctx
	if l.admin, err = l.config.Kafka.Admin(); err != nil {
		return err
	}
	if err = l.admin.Ping(ctx); err != nil {
		return err
	}
	if l.source, err = l.admin.Topic(ctx, l.config.Topics.Events); err != nil {
		return fmt.Errorf("%w; create the topics first", err)
	}
	return nil
}

// join becomes a member of the group.
func (l *Loop) join(assigned func([]int32) ([]int64, error), revoked func([]int32, bool)) (err error) {
	l.consumer, err = l.config.Kafka.Consumer(kafka.GroupConfig{
		Group: l.config.Group, Topic: l.config.Topics.Events, Instance: l.config.Slot,
		SessionTimeout: l.config.SessionTimeout,
		// A restore runs inside a poll, and ends at its own stall first.
		MaxPollInterval: 10 * l.config.RestoreStall,
		MaxRecords:      min(l.config.CommitRecords, pollRecords),
		FetchWait:       l.config.FetchWait,
		FetchQueue:      l.config.Buffer,
		Partitions:      l.source.Partitions,
		OnAssigned:      assigned, OnRevoked: revoked,
	})
	if err == nil {
		l.config.Log.Debug("joined", "group", l.config.Group, "fetch path", l.consumer.Path().String())
	}
	return err
}

// close ends what connect and join began. The consumer first: leaving revokes,
// which aborts. Producers after it.
func (l *Loop) close() (err error) {
	if l.consumer != nil {
		err = l.consumer.Close()
	}
	l.release(true)
	if l.admin != nil {
		l.admin.Close()
	}
	return err
}

// finish commits what is open, all partitions at once.
func (l *Loop) finish() error {
	tasks := l.inOrder()
	for _, t := range tasks {
		if t.collecting() {
			if err := t.offer(); err != nil {
				return err
			}
		}
	}
	for _, t := range tasks {
		if t.flying {
			if err := t.land(); err != nil {
				return err
			}
		}
	}
	return nil
}

// interrupted hides an error that is only the echo of ctx's end.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// turn reads once, takes in the outcomes of commits and sends off what is due.
func (l *Loop) turn() error {
	batches, err := l.consumer.Poll(l.patience())
	if err != nil {
		return l.overtaken(err)
	}
	for _, b := range batches {
		if t := l.tasks[b.Partition]; t != nil && b.Len() > 0 {
			if err := t.receive(b); err != nil {
				return err
			}
		}
	}
	for _, t := range l.inOrder() {
		if err := t.advance(); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a poll may wait: until the next commit is due, or might
// have landed. Whole milliseconds, as the client counts: less would be a poll
// that does not wait at all, again and again.
func (l *Loop) patience() time.Duration {
	wait := 100 * time.Millisecond
	for _, t := range l.tasks {
		switch {
		case t.flying:
			return time.Millisecond
		case t.collecting():
			wait = min(wait, time.Until(t.began.Add(l.config.CommitInterval)))
		}
	}
	return max(wait+time.Millisecond-1, 0).Truncate(time.Millisecond)
}

// inOrder are the tasks by partition, so that runs resemble each other.
func (l *Loop) inOrder() []*task {
	tasks := make([]*task, 0, len(l.tasks))
	for _, p := range slices.Sorted(maps.Keys(l.tasks)) {
		tasks = append(tasks, l.tasks[p])
	}
	return tasks
}

func (l *Loop) probe(step Step, partition int32) error {
	if l.config.Probe == nil {
		return nil
	}
	return l.config.Probe(step, partition)
}
