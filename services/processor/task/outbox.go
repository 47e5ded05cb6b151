package task

import (
	"context"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// outbox is what the weaker guarantees have in common: a program's usual means,
// an idempotent producer and a commit of the offset by itself. What is sent
// stays, so an abort only forgets what waits to be sent.
type outbox struct {
	sender   Sender
	consumer Consumer
	timeout  time.Duration

	output  kafka.Records // for results, exclusions and dead letters
	state   kafka.Records // for the changelog
	ordered kafka.Records // state, as it is sent
}

func (o *outbox) Init(context.Context) error { return nil }
func (o *outbox) Begin() error               { return nil }
func (o *outbox) Suspect() bool              { return false }
func (o *outbox) Close()                     { o.sender.Close() }

// Produce belongs to changes of views, which are transactions.
func (o *outbox) Produce(kafka.Record) error {
	panic("BUG: a single record without a transaction")
}

// Abort forgets what waits.
func (o *outbox) Abort() error {
	o.output.Reset()
	o.state.Reset()
	o.ordered.Reset()
	return nil
}

// take puts records to those that wait.
func (o *outbox) take(r *kafka.Records) {
	for i := range r.Entries {
		to := &o.output
		if r.Entries[i].Topic == int32(engine.Changelog) {
			to = &o.state
		}
		one := r.Record(i)
		to.Add(int(r.Entries[i].Topic), one.Key, one.Value)
	}
}

// order puts what ends in the state behind the meta record, which otherwise comes
// last. A torn end then has too many cells, which can be told from their windows'
// close, and not too few, which is a loss.
func (o *outbox) order() {
	for _, ends := range [...]bool{false, true} {
		for i := range o.state.Entries {
			if o.state.Entries[i].Tombstone == ends {
				one := o.state.Record(i)
				o.ordered.Add(int(engine.Changelog), one.Key, one.Value)
			}
		}
	}
	o.state.Reset()
}

// deliver sends a list, and returns when all that was sent is in the log.
func (o *outbox) deliver(list *kafka.Records) error {
	if err := o.sender.ProduceAll(list); err != nil {
		return err
	}
	list.Reset()
	return o.sender.Flush()
}

// deliverState sends what changes the state, unless it is known by now that the
// partition has another owner, whose newer state it would be written over.
func (o *outbox) deliverState() error {
	if _, err := prove(o.consumer); err != nil {
		return err
	}
	return o.deliver(&o.ordered)
}

// weaker makes the producer of one of the weaker guarantees.
func (l *Loop) weaker(partition int32) (Producer, error) {
	sender, err := l.config.Kafka.Sender(kafka.SenderConfig{Linger: l.config.Linger, Timeout: l.config.TransactionTimeout, Queue: queue(l.source.Partitions)})
	if err != nil {
		return nil, err
	}
	records := kafka.Records{Topics: l.topics(), Partition: partition}
	box := outbox{sender: sender, consumer: l.consumer, timeout: l.config.TransactionTimeout, output: records, state: records, ordered: records}
	if l.config.Guarantee == AtMostOnce {
		return &atMostOnce{box}, nil
	}
	return &atLeastOnce{outbox: box}, nil
}
