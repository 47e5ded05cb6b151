package task

import (
	"errors"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
)

// errNotOwner aborts a transaction whose partition may be someone else's.
var errNotOwner = errors.New("the partition is no longer assigned")

// outcome is how a commit in flight ended.
type outcome struct {
	err  error // of the transaction; nil is the proof that it is committed
	took time.Duration
}

// offer completes the open transaction and sends it off: its commit is in
// flight until land takes the outcome in. Until then the partition takes no
// input, and the flight alone uses the producer.
func (t *task) offer() error {
	start := time.Now()
	t.engine.Flush(&t.out)
	if failpoint.Mutant("processor/merged-early") {
		t.engine.Commit()
	}
	member, err := t.complete()
	if err != nil {
		return t.failed(err)
	}
	t.flying = true
	t.hold()
	go func() { t.outcome <- outcome{t.tryCommit(member), time.Since(start)} }()
	return nil
}

// complete puts the last records into the transaction, and says what a commit
// would make of the partition. The proof of membership is taken now, not at
// assignment: any rebalance makes it stale.
func (t *task) complete() (member kafka.GroupMetadata, err error) {
	if err := t.send(); err != nil {
		return member, err
	}
	if err := t.loop.probe(Produced, t.partition); err != nil {
		return member, err
	}
	if member, err = t.member(); err != nil {
		return member, err
	}
	t.attempt.transaction = t.engine.Transaction() + 1
	t.attempt.watermark = t.engine.Stats().Watermark
	t.attempt.topicID = t.loop.source.ID
	t.attempt.guarantee = t.loop.config.Guarantee
	t.offered = true
	return member, nil
}

// member proves that this process is a member of the group.
func (t *task) member() (kafka.GroupMetadata, error) {
	if failpoint.Mutant("processor/unfenced") {
		return kafka.GroupMetadata{}, nil
	}
	return prove(t.loop.consumer)
}

// tryCommit is the flight. It changes nothing of the task.
func (t *task) tryCommit(member kafka.GroupMetadata) error {
	next := t.attempt.offset
	if failpoint.Mutant("processor/last-offset") {
		next--
	}
	err := t.producer.SendOffsets(t.loop.config.Topics.Events,
		[]kafka.Committed{{Partition: t.partition, Offset: next, Metadata: t.attempt.metadata()}}, member)
	if err != nil {
		return err
	}
	if err := t.loop.probe(OffsetsSent, t.partition); err != nil {
		return err
	}
	if err := t.producer.Commit(); err != nil {
		return err
	}
	return t.loop.probe(Committed, t.partition)
}

// land waits for the commit in flight, and deals with its outcome.
func (t *task) land() error {
	o := <-t.outcome
	t.flying = false
	t.hold()
	if o.err != nil {
		return t.failed(o.err)
	}
	t.settled()
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Commits.add(o.took) })
	if t.producer.Suspect() && !failpoint.Mutant("processor/doubtful-commit") {
		// A late request of this transaction could hit the next one. A new
		// producer has a new epoch, which it cannot.
		return t.recreate()
	}
	return nil
}

// abandon ends whatever the task has begun, before its partition goes. A commit
// in flight decides itself; of the rest nothing must become visible, since a new
// owner may already be reading the same input again.
func (t *task) abandon(lost bool) {
	switch {
	case t.flying && failpoint.Mutant("processor/flight-left"):
	case t.flying:
		o := <-t.outcome
		t.flying = false
		if o.err == nil {
			t.settled()
		}
	case t.collecting() && !lost && !t.broken && t.loop.config.Guarantee == AtLeastOnce:
		t.handOver()
	case t.collecting() && !lost && failpoint.Mutant("processor/revoked-open"):
	case t.collecting() && !lost:
		// So that nobody waits for it. Should it fail, the next owner's Init does it.
		if err := t.producer.Abort(); err != nil {
			t.loop.config.Log.Debug("abort on revocation", "partition", t.partition, "error", err)
		}
	}
	if t.open {
		t.reset()
		t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Aborts++ })
	}
}
