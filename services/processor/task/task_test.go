package task_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/oracle"
	"parallax.example/services/processor/task"
)

func TestOneInstance(t *testing.T) {
	l := newLab(t)
	l.fill(1, 1500, true)
	r := l.start(l.config("slot-0"))
	l.await("the end", l.drained(r), r)
	before := r.total(transactions)
	r.stop()
	l.verify()
	if after := r.total(transactions); after != before {
		t.Errorf("%d transactions without input", after-before)
	}
	if before < partitions*1500/100/2 {
		t.Errorf("only %d transactions", before)
	}
	counts := oracle.Stream(l.views, l.log).Counts
	for _, c := range r.counters.Snapshot() {
		w := counts[c.Partition]
		if c.Records != w.Records || c.Duplicates != w.Duplicate || c.Stale != w.Stale || c.DeadLetters != w.DeadLetters || c.Watermark != w.Watermark || c.Owned {
			t.Errorf("counters %+v, oracle %+v", c, w)
		}
	}
}

func TestRestartsContinue(t *testing.T) {
	l := newLab(t)
	total := uint64(0)
	for round := range uint64(4) {
		l.fill(round+1, 300, round == 3)
		r := l.start(l.config("slot-0"))
		if round%2 == 0 { // stop somewhere in the middle
			l.await("some transactions", func() bool { return r.total(transactions) >= 3 }, r)
		} else {
			l.await("the end", l.drained(r), r)
		}
		r.stop()
		total += r.total(transactions)
	}
	l.verify()
	if total < 10 {
		t.Errorf("only %d transactions", total)
	}
}

func TestTwoInstancesShare(t *testing.T) {
	l := newLab(t)
	l.fill(1, 800, false)
	first := l.start(l.config("slot-0"))
	l.await("first transactions", func() bool { return first.total(transactions) >= 2 }, first)
	second := l.start(l.config("slot-1"))
	l.await("two partitions each", func() bool { return first.total(owned) == 2 && second.total(owned) == 2 }, first, second)
	l.fill(2, 800, true)
	l.await("the end", l.drained(first, second), first, second)
	if first.total(transactions) == 0 || second.total(transactions) == 0 {
		t.Error("one did nothing")
	}
	first.stop()
	second.stop()
	l.verify()
}

// Rows of closed windows do not wait for the interval, which would outlast the test.
func TestPrompt(t *testing.T) {
	l := newLab(t)
	l.fill(1, 200, true)
	c := l.config("slot-0")
	c.Pace = task.Pace{CommitInterval: 5 * time.Minute, CommitRecords: 1_000_000, Prompt: true}
	c.TransactionTimeout = 10 * time.Minute
	r := l.start(c)
	l.await("the end", l.drained(r), r)
	r.stop()
	l.verify()
}

// While the commit of one partition waits, the others go on.
func TestCommitsOverlap(t *testing.T) {
	l := newLab(t)
	l.fill(1, 400, true)
	c := l.config("slot-0")
	slow := make(chan struct{})
	c.Probe = func(s task.Step, partition int32) error {
		if s == task.OffsetsSent && partition == 1 {
			<-slow
		}
		return nil
	}
	r := l.start(c)
	l.await("the end of the others", func() bool {
		for _, n := range r.counters.Snapshot() {
			if n.Partition != 1 && n.Offset < l.ends[n.Partition] {
				return false
			}
		}
		return r.total(transactions) >= 3
	}, r)
	for _, n := range r.counters.Snapshot() {
		if n.Partition == 1 && n.Transactions > 0 {
			t.Error("the slow partition has committed")
		}
	}
	close(slow)
	l.await("the end", l.drained(r), r)
	r.stop()
	l.verify()
	if n := r.total(aborts); n != 0 {
		t.Errorf("%d transactions were rolled back", n)
	}
}

// A rebalance waits for a commit in flight: the next owner begins behind it.
func TestRebalanceWaitsForTheCommitInFlight(t *testing.T) {
	l := newLab(t)
	l.fill(1, 400, true)
	c, d := l.config("slot-0"), l.config("slot-1")
	c.CommitRecords = 1 << 20
	c.CommitInterval = time.Second
	flying, slow := make(chan struct{}), make(chan struct{})
	var hits atomic.Int32
	c.Probe = func(s task.Step, _ int32) error {
		if s == task.OffsetsSent {
			if hits.Add(1) == 1 {
				close(flying)
			}
			<-slow
		}
		return nil
	}
	first := l.start(c)
	<-flying
	second := l.start(d)
	joined := time.Now()
	l.await("the heartbeat that tells of the second", func() bool { return time.Since(joined) > 1500*time.Millisecond }, first, second)
	if n := second.total(owned); n > 0 {
		t.Errorf("the second owns %d partitions while commits are in flight", n)
	}
	close(slow)
	l.await("the end", l.drained(first, second), first, second)
	if n := first.total(transactions); n < partitions {
		t.Errorf("only %d transactions of the first were committed", n)
	}
	first.stop()
	second.stop()
	l.verify()
}

// An instance that freezes at a step, and wakes after its successor took over,
// must change nothing.
func TestZombie(t *testing.T) {
	for _, step := range []task.Step{task.Begun, task.Produced, task.OffsetsSent} {
		t.Run(string(step), func(t *testing.T) {
			l := newLab(t)
			l.fill(1, 400, true)
			frozen, thaw := make(chan struct{}), make(chan struct{})
			c := l.config("slot-0")
			var hits atomic.Int32
			c.Probe = func(s task.Step, _ int32) error {
				if s == step {
					if hits.Add(1) == 5 {
						close(frozen)
						<-thaw
					}
				}
				return nil
			}
			zombie := l.start(c)
			<-frozen
			heir := l.start(l.config("slot-0")) // the same slot: a restart after a kill
			l.await("the end", l.drained(heir), heir)
			close(thaw)
			if err := zombie.wait(); err == nil {
				t.Error("the zombie ended without an error")
			} else {
				t.Logf("the zombie's end: %v", err)
			}
			if n := zombie.total(recreated); n != 0 {
				t.Errorf("the zombie took ids back from its heir %d times", n)
			}
			heir.stop()
			l.verify()
		})
	}
}

// An owner whose id somebody took, but whose partition nobody did, takes it back
// and loses nothing.
func TestFencedOwnerGoesOn(t *testing.T) {
	l := newLab(t)
	l.fill(1, 400, true)
	thief, err := kafka.NewTxn(l.kafka, kafka.TxnConfig{ID: "test-processor-2"})
	must(t, err)
	defer thief.Close()
	c := l.config("slot-0")
	hits := 0
	c.Probe = func(s task.Step, partition int32) error {
		if s == task.Produced && partition == 2 {
			if hits++; hits == 2 {
				return thief.Init(t.Context())
			}
		}
		return nil
	}
	r := l.start(c)
	l.await("the end", l.drained(r), r)
	r.stop()
	l.verify()
	if n := r.total(recreated); n != 1 {
		t.Errorf("%d producers made anew", n)
	}
}

// The outcome of every kind of step is made unknown, again and again.
func TestUnknownOutcome(t *testing.T) {
	for _, step := range []task.Step{task.Begun, task.Produced, task.OffsetsSent, task.Committed} {
		t.Run(string(step), func(t *testing.T) {
			l := newLab(t)
			l.fill(1, 300, true)
			c := l.config("slot-0")
			var hits atomic.Int32
			c.Probe = func(s task.Step, _ int32) error {
				if s == step {
					if hits.Add(1)%4 == 0 {
						return errors.New("no answer")
					}
				}
				return nil
			}
			r := l.start(c)
			l.await("the end", l.drained(r), r)
			r.stop()
			l.verify()
			anew, rolledBack := r.total(recreated), r.total(aborts)
			if anew == 0 || (rolledBack == 0) != (step == task.Committed) {
				t.Errorf("%d producers made anew, %d rolled back", anew, rolledBack)
			}
		})
	}
}

// A member that does not poll for longer than it may is put out of the group.
// When it wakes, its successor owns the partitions.
func TestSilentMemberIsPutOut(t *testing.T) {
	l := newLab(t)
	l.fill(1, 400, true)
	c := l.config("")
	c.SessionTimeout, c.RestoreStall = time.Second, 300*time.Millisecond // so 3 s between polls
	d := l.config("")
	d.CommitInterval = 200 * time.Millisecond
	heir := &running{lab: l, counters: d.Counters, done: make(chan error, 1)}
	hits := 0
	awake := make(chan struct{})
	c.Probe = func(s task.Step, _ int32) error {
		if s == task.Produced {
			if hits++; hits == 3 {
				go func() { heir.done <- task.New(d).Run(t.Context()) }()
				for end := time.Now().Add(patience); heir.total(owned) < partitions && time.Now().Before(end); {
					time.Sleep(10 * time.Millisecond)
				}
				close(awake)
			}
		}
		return nil
	}
	r := l.start(c)
	<-awake
	l.await("the end", l.drained(r, heir), r, heir)
	if n := r.total(aborts); n == 0 {
		t.Error("nothing was aborted")
	}
	r.stop()
	l.verify()
}

func TestRunEndsWithinTwoSeconds(t *testing.T) {
	l := newLab(t)
	l.fill(1, 200, false)
	c := l.config("slot-0")
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	reached := make(chan struct{}, 100)
	c.Probe = func(s task.Step, _ int32) error {
		if s == task.OffsetsSent {
			reached <- struct{}{}
			<-hold // a broker that does not answer
		}
		return nil
	}
	r := l.start(c)
	<-reached
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

// A record that can never be sent is no reason to try again.
func TestTooLargeStops(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		l := newLab(t)
		l.fill(1, 100, false)
		c := l.config("slot-0")
		c.Guarantee = g
		c.Probe = func(s task.Step, _ int32) error {
			if s == task.Produced {
				return &kafka.TooLargeError{Topic: l.topics.Changelog, Size: 2_000_000, Limit: 1_000_000}
			}
			return nil
		}
		var stop *task.Stop
		if err := l.start(c).wait(); !errors.As(err, &stop) || !strings.Contains(stop.Reason, "one of 2000000 bytes") || !strings.Contains(stop.Remedy, "fewer views") {
			t.Errorf("ended with: %v", err)
		}
	})
}

// More keys than allowed end the processor before memory does, and nothing of it
// is lost.
func TestTooManyKeysStop(t *testing.T) {
	each(t, func(t *testing.T, g task.Guarantee) {
		l := newLab(t)
		l.fill(1, 400, true)
		c := l.config("slot-0")
		c.Guarantee, c.MaxKeys = g, 5 // there are seven
		var stop *task.Stop
		err := l.start(c).wait()
		if !errors.As(err, &stop) || !strings.Contains(err.Error(), "more than 5 different keys have open windows, and --max-keys allows no more; nothing is lost") || strings.Contains(err.Error(), "\n") {
			t.Errorf("ended with: %v", err)
		}
		c = l.config("slot-0")
		c.Guarantee = g
		r := l.start(c)
		l.await("the end", l.drained(r), r)
		r.stop()
		if g == task.AtLeastOnce {
			l.verifyRows() // what the last batch told is told again
		} else {
			l.verify()
		}
	})
}

func TestStops(t *testing.T) {
	// Each case has a processed input, changes something, and expects the stop.
	cases := map[string]struct {
		change func(l *lab, c *task.Config)
		want   string
	}{
		"changelog is another": {func(l *lab, c *task.Config) {
			must(l.t, l.admin().EnsureTopics(l.t.Context(), []kafka.TopicSpec{{Name: "other", Partitions: partitions, Replication: 1}}))
			c.Topics.Changelog = "other"
		}, `but the changelog "other" is empty`},
		"offsets are gone": {func(_ *lab, c *task.Config) { c.Group = "another" }, `group "another" has committed nothing`},
		"view changed": {func(l *lab, c *task.Config) { c.Views = l.parse(strings.Replace(views, "10m", "20m", 1)) },
			`view "hourly" has another definition than in the state; put the former definitions back, or type ` + "`parallax processor reset --view hourly`"},
		"view is new": {func(l *lab, c *task.Config) {
			c.Views = l.parse(views + "  - {name: daily, window: {tumbling: 24h}, lateness: 0s}\n")
		}, `view "daily" is new; put the former definitions back, or type ` + "`parallax processor reset --view daily`"},
		"view is gone": {func(l *lab, c *task.Config) {
			c.Views = l.parse(views[:strings.Index(views, "  - {name: sliding")])
		}, `view "sliding" of the state is not in views.yaml any more; put the former definitions back, or type ` + "`parallax processor reset --view sliding` to drop it"},
		"rules of time changed": {func(l *lab, c *task.Config) { c.Views = l.parse(strings.Replace(views, "count: 3", "count: 4", 1)) },
			"the rules of time in views.yaml (time:) are not those of its state"},
		"another partition count": {func(l *lab, c *task.Config) {
			must(l.t, l.admin().EnsureTopics(l.t.Context(), []kafka.TopicSpec{{Name: "three", Partitions: 3, Replication: 1}}))
			c.Topics.Changelog = "three"
		}, `the topic has 4 partitions now, but its changelog "three" has 3: keys have moved between partitions; to start anew`},
		"older metadata": {func(l *lab, c *task.Config) {
			l.commit(c.Group, kafka.Committed{Partition: 1, Offset: 5, Metadata: base64.StdEncoding.EncodeToString([]byte{1, 0, 0})})
		}, `the metadata of the committed offset has version 1, this one knows 2; run the version of the program that wrote it`},
		"another results format": {func(l *lab, c *task.Config) {
			l.commit(c.Group, kafka.Committed{Partition: 1, Offset: 5, Metadata: base64.StdEncoding.EncodeToString(append([]byte{2, 9}, make([]byte, 40)...))})
		}, `the results topic holds messages of version 9, this one writes 1; run the version of the program that wrote it`},
		"older changelog": {func(l *lab, _ *task.Config) {
			p, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{})
			must(l.t, err)
			must(l.t, p.Produce(l.t.Context(), kafka.Record{Topic: l.topics.Changelog, Partition: 3, Key: []byte{1, 0}, Value: []byte("y")}, 0), p.Flush(l.t.Context()))
			p.Close()
		}, "it was written by an earlier version of this program, and this one reads version 2: run the earlier version"},
		"topic made again": {func(l *lab, _ *task.Config) {
			must(l.t, l.admin().DeleteTopic(l.t.Context(), l.topics.Events))
			must(l.t, l.admin().EnsureTopics(l.t.Context(), l.topics.Specs(partitions, 1)))
		}, "was deleted and made again"},
		"foreign commit": {func(l *lab, c *task.Config) {
			l.commit(c.Group, kafka.Committed{Partition: 2, Offset: 5, Metadata: "hello"})
		}, "partition 2: group \"test-processor\": the metadata of the committed offset is not ours"},
		"foreign changelog": {func(l *lab, _ *task.Config) {
			p, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{})
			must(l.t, err)
			must(l.t, p.Produce(l.t.Context(), kafka.Record{Topic: l.topics.Changelog, Partition: 3, Key: []byte("x"), Value: []byte("y")}, 0), p.Flush(l.t.Context()))
			p.Close()
		}, "partition 3: the changelog"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.fill(1, 100, false)
			r := l.start(l.config("slot-0"))
			l.await("the end", l.drained(r), r)
			r.stop()
			config := l.config("slot-0")
			c.change(l, &config)
			err := l.start(config).wait()
			var stop *task.Stop
			if !errors.As(err, &stop) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("ended with: %v", err)
			}
			t.Log(err)
		})
	}
}

// Transactional ids begin with the group's name: a second deployment with the
// same group, of other topics, would fence the first one, and be fenced by it.
func TestSecondDeploymentOfAGroupStops(t *testing.T) {
	l := newLab(t)
	l.fill(1, 50, false)
	first := l.start(l.config("slot-0"))
	l.await("the end", l.drained(first), first)
	other := l.config("slot-1")
	other.Topics = kafka.NewTopics("other")
	must(t, l.admin().EnsureTopics(t.Context(), other.Topics.Specs(partitions, 1)))
	err := l.start(other).wait()
	var stop *task.Stop
	if !errors.As(err, &stop) || !strings.Contains(err.Error(), `members of group "test-processor" are at work on topic "test.events"`) || !strings.Contains(err.Error(), "a --group of its own") {
		t.Errorf("ended with: %v", err)
	}
	l.fill(2, 50, true)
	l.await("the end again", l.drained(first), first)
	first.stop()
	l.verify()
}

func TestNoBroker(t *testing.T) {
	l := newLab(t)
	c := l.config("slot-0")
	c.Kafka = task.Brokers(kafka.Config{Brokers: "127.0.0.1:1"})
	err := l.start(c).wait()
	if err == nil || !strings.HasPrefix(err.Error(), `cannot reach Kafka at "127.0.0.1:1"`) || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}
