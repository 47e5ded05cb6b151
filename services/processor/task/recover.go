package task

import (
	"errors"
	"fmt"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// failed deals with an error of the open transaction. It returns nil if the
// loop can go on: from the last commit, or from this one if it succeeded after all.
func (t *task) failed(cause error) error {
	t.broken = true
	var tooLarge *kafka.TooLargeError
	if errors.As(cause, &tooLarge) {
		return t.loop.stop(t.partition, cause, "no event can do that alone: use fewer views if there are very many, else report it",
			"a record of the input between offsets %d and %d makes one of %d bytes for topic %q, and the limit is %d",
			t.committed.offset, t.attempt.offset, tooLarge.Size, tooLarge.Topic, tooLarge.Limit)
	}
	if t.failing.IsZero() {
		t.failing = time.Now()
	}
	if since := time.Since(t.failing); since > t.loop.hopeless() {
		return fmt.Errorf("cannot commit partition %d from offset %d on: every transaction has failed for %s, the last with: %w",
			t.partition, t.committed.offset, since.Round(time.Second), cause)
	}
	if t.loop.config.Guarantee != ExactlyOnce {
		t.loop.config.Log.Warn("batch failed", "partition", t.partition, "offset", t.committed.offset, "error", cause)
		if t.loop.consumer.Lost() || errors.Is(cause, errNotOwner) || kafka.NotMember(cause) {
			t.lost(time.Now())
			return nil
		}
		return t.resume()
	}
	outcome := kafka.Classify(cause)
	if errors.Is(cause, errNotOwner) {
		outcome = kafka.Abort
	}
	t.loop.config.Log.Warn("transaction failed", "partition", t.partition, "outcome", outcome.String(), "offset", t.committed.offset, "error", cause)
	if outcome == kafka.Abort {
		err := t.producer.Abort()
		if err == nil && (!t.producer.Suspect() || failpoint.Mutant("processor/doubtful-abort")) {
			return t.rolledBack()
		}
		if err == nil {
			// A late request of this transaction could hit the next one, as in land.
			return t.recreate()
		}
		t.loop.config.Log.Warn("abort failed", "partition", t.partition, "error", err)
		outcome = kafka.Classify(err)
	}
	if outcome == kafka.Fenced {
		t.lost(time.Now())
		return nil
	}
	// Retry has been retried until the transaction's time was over; that, and
	// anything that says nothing, leave the outcome unknown.
	return t.recreate()
}

// lost begins the wait of a fenced task, or of one without exactly once that is
// not the owner any more: offset and state are then those of two moments of the
// next one's, and what they seem to tell is no death. Perhaps the partition has a new owner,
// whom taking the id back would fence; then the polls of the next heartbeats
// bring the news. If they do not, whoever has the id may need it for longer: a
// change of views first loads the state. So each time in a row the task waits
// twice as long. That it commits in between says nothing: it does so each time
// that it has taken the id back.
func (t *task) lost(now time.Time) {
	const row, longest = time.Minute, 30 * time.Second
	if now.Sub(t.retaken) > row {
		t.leave = 2 * t.loop.consumer.Heartbeat()
	} else {
		t.leave = min(2*t.leave, longest)
	}
	t.fenced = now
}

// limited stops the partition at a record that would make its state too large.
func (t *task) limited(cause error) error {
	t.broken = true
	var limit *engine.LimitError
	if !errors.As(cause, &limit) {
		return cause
	}
	what := "keys have open windows"
	if limit.What == "producers" {
		what = "producers have sent events with an id"
	}
	return t.loop.stop(t.partition, cause,
		"nothing is lost, and the next start goes on here: if so many are expected, start again with a higher --max-keys and the memory for them, else look at what the events give as "+limit.What,
		"with the record at offset %d more than %d different %s, and --max-keys allows no more", limit.Offset, limit.Limit, what)
}

// hopeless is how long transactions may fail in a row. By then a rebalance has
// ended, and coordinators have settled whatever they will.
func (l *Loop) hopeless() time.Duration {
	return l.config.SessionTimeout + 2*l.config.TransactionTimeout + 20*time.Second
}

// recreate replaces the producer and finds out what became of the open
// transaction, if there is one. Taking the id settles it; the committed
// position then says which way.
func (t *task) recreate() error {
	t.producer.Close()
	producer, err := t.loop.producer(t.partition)
	if err != nil {
		return err
	}
	if !t.fenced.IsZero() {
		t.retaken = time.Now()
	}
	t.producer, t.fenced = producer, time.Time{}
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Recreated++ })
	if !t.open {
		return nil
	}
	found, err := t.loop.committed([]int32{t.partition})
	if err != nil {
		return err
	}
	switch {
	case failpoint.Mutant("processor/unknown-is-lost"):
		return t.rolledBack()
	case failpoint.Mutant("processor/unknown-is-committed") && t.offered:
		t.settled()
		return t.seek()
	case t.offered && found[0] == t.attempt:
		t.settled()
		return t.seek() // what a fenced task was given is dropped
	case found[0] == t.committed:
		return t.rolledBack()
	}
	// Another member went on from here in the meantime. Its state is in the
	// changelog; whether this member still owns the partition, the next commit
	// will be told by the coordinator.
	restored, err := t.loop.restore([]int32{t.partition})
	if err != nil {
		return err
	}
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Aborts++ })
	t.adopt(restored[0])
	return t.seek()
}
