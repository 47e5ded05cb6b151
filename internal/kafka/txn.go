package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"parallax.example/internal/failpoint"
)

// TxnConfig configures a transactional producer.
type TxnConfig struct {
	ID         string        // transactional.id: one writer per id, also over restarts
	Timeout    time.Duration // 0 = 15 s; the coordinator aborts a transaction that is open for longer
	MaxMessage int           // bytes; 0 = 1,000,000
	Linger     time.Duration // 0 = 1 ms; how long a batch may wait to fill. A commit does not wait for it
	// Queue bounds the bytes of records that the broker has not acknowledged;
	// 0 = 64 MiB, and a record of MaxMessage always fits. A transaction may be
	// larger: in a full queue the next record waits for room.
	Queue int
}

// Txn is a transactional producer. One goroutine uses it. Every error is to be
// put to Classify.
type Txn struct {
	client  *ck.Producer
	config  TxnConfig
	topics  *handles // nil: ProduceAll adds records one by one
	free    func()
	drained chan struct{}
	refused error       // a record of the open transaction was not accepted
	aborted bool        // the transaction before this one was
	suspect atomic.Bool // see Suspect
}

// slow is how long a commit may take before its connection is doubted.
const slow = 2 * time.Second

// NewTxn makes a transactional producer. Init must come before anything else.
func NewTxn(c Config, tc TxnConfig) (*Txn, error) {
	if tc.Timeout == 0 {
		tc.Timeout = 15 * time.Second
	}
	if tc.MaxMessage == 0 {
		tc.MaxMessage = defaultMaxMessage
	}
	if tc.Linger == 0 {
		tc.Linger = time.Millisecond
	}
	own := sending(tc.MaxMessage, tc.Linger)
	bound(own, tc.Queue, tc.MaxMessage)
	own["transactional.id"] = tc.ID
	own["transaction.timeout.ms"] = millis(tc.Timeout)
	// message.timeout.ms and socket.timeout.ms stay unset: librdkafka derives
	// them from the transaction's timeout, and nothing is sent again after it.
	own["go.delivery.reports"] = false // a commit reports records that failed
	// The coordinator refuses a transaction while it writes the markers of the
	// last one; the default back-off makes 100 ms of that millisecond.
	own["retry.backoff.ms"] = 2
	own["retry.backoff.max.ms"] = 5
	conf, free, err := c.settings(own)
	if err != nil {
		return nil, err
	}
	client, err := ck.NewProducer(conf)
	if err != nil {
		free()
		return nil, fmt.Errorf("cannot make the transactional producer %q: %w", tc.ID, err)
	}
	t := &Txn{client: client, config: tc, free: free, drained: make(chan struct{})}
	if t.topics, err = newHandles(client); err != nil {
		fellBack(c.log(), err)
	}
	go t.drain(c.log())
	return t, nil
}

// drain serves the events until the client is closed: a commit freezes when
// nobody does. A lost connection may have carried a request that arrives late.
func (t *Txn) drain(log *slog.Logger) {
	defer close(t.drained)
	for event := range t.client.Events() {
		if e, ok := event.(ck.Error); ok {
			overcome(log, e)
			switch e.Code() {
			case ck.ErrTransport, ck.ErrAllBrokersDown, ck.ErrTimedOut, ck.ErrNotCoordinator, ck.ErrCoordinatorNotAvailable:
				t.suspect.Store(true)
			}
		}
	}
}

// Init takes the transactional id: it aborts or completes what a predecessor
// left open, and fences it. It waits until ctx's deadline, two transaction
// timeouts if there is none.
func (t *Txn) Init(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(2 * t.config.Timeout)
	}
	connect(t.client)
	for {
		// In pieces, because the client notices a deadline, but not ctx's end.
		attempt, cancel := context.WithDeadline(ctx, earlier(deadline, time.Now().Add(time.Second)))
		err := t.client.InitTransactions(attempt)
		cancel()
		if err == nil {
			t.suspect.Store(false)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if Classify(err) != Retry || !time.Now().Before(deadline) {
			return fmt.Errorf("cannot take the transactional id %q: %w", t.config.ID, err)
		}
		time.Sleep(5 * time.Millisecond) // the predecessor's transaction is being settled
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Begin opens a transaction.
func (t *Txn) Begin() error {
	t.refused = nil
	if err := t.client.BeginTransaction(); err != nil {
		return fmt.Errorf("cannot begin a transaction of %q: %w", t.config.ID, err)
	}
	return nil
}

// Produce adds a record; key and value are copied. While the local queue is
// full it waits. After an error the transaction can only be aborted; a
// *TooLargeError in it will come again for the same record.
func (t *Txn) Produce(r Record) error {
	err := r.check(t.config.MaxMessage)
	if err == nil {
		err = t.enqueue(r)
	}
	if err == nil {
		return nil
	}
	return t.refuse(r.Topic, err)
}

// ProduceAll adds all records in their order, as Produce does each, in one call
// past the Go client. Of a list with a record that is too large none is added.
func (t *Txn) ProduceAll(r *Records) error {
	err := r.check(t.config.MaxMessage)
	var tooLarge *TooLargeError
	if errors.As(err, &tooLarge) {
		return t.refuse(tooLarge.Topic, err)
	}
	if len(r.Entries) == 0 {
		return nil
	}
	if t.topics == nil {
		return t.produceEach(r)
	}
	if i, err := t.topics.produce(r, time.Now().Add(t.config.Timeout)); err != nil {
		return t.refuse(r.Topics[r.Entries[i].Topic], err)
	}
	return nil
}

// produceEach is what ProduceAll must equal.
func (t *Txn) produceEach(r *Records) error {
	for i := range r.Entries {
		if err := t.Produce(r.Record(i)); err != nil {
			return err
		}
	}
	return nil
}

// refuse keeps in mind that a record is not in the transaction. That a record is
// not allowed at all means that the transaction has failed, which an abort mends;
// again after an abort, that the client's idea of its state is wrong, which only
// another producer mends: see librdkafka's issue 4849.
func (t *Txn) refuse(topic string, err error) error {
	stuck := t.aborted && code(err) == ck.ErrState
	if Classify(err) == Unknown && !isFatal(err) && !stuck {
		err = &refusedError{err} // the record is missing, but the producer is fine
	}
	t.refused = fmt.Errorf("cannot add a record for topic %q to the transaction: %w", topic, err)
	return t.refused
}

func (t *Txn) enqueue(r Record) error {
	deadline := time.Now().Add(t.config.Timeout)
	message := r.message(nil)
	for {
		err := t.client.Produce(message, nil)
		if code(err) != ck.ErrQueueFull || !time.Now().Before(deadline) {
			return err
		}
		time.Sleep(time.Millisecond) // room comes when the broker acknowledges
	}
}

func isFatal(err error) bool {
	var e ck.Error
	return errors.As(err, &e) && e.IsFatal()
}

// SendOffsets adds the group's positions in topic to the transaction. The
// coordinator refuses them if the member is not in the group's current generation.
func (t *Txn) SendOffsets(topic string, positions []Committed, member GroupMetadata) error {
	tps := offsets(topic, positions)
	proof, ok := member.Proof.(*ck.ConsumerGroupMetadata)
	if !ok {
		panic(fmt.Sprintf("BUG: a proof of membership that is a %T", member.Proof))
	}
	// No deadline of our own: librdkafka's is the rest of the transaction's time.
	if err := t.retrying(func() error { return t.client.SendOffsetsToTransaction(context.Background(), tps, proof) }); err != nil {
		err = fmt.Errorf("cannot add the offsets of topic %q to the transaction: %w", topic, err)
		t.refused = err
		return err
	}
	return nil
}

// Commit makes the transaction visible, all or nothing. A transaction with a
// refused record is not committed. A nil error is the only proof of success.
func (t *Txn) Commit() error {
	if t.refused != nil && !failpoint.Mutant("kafka/refused-committed") {
		return &refusedError{t.refused}
	}
	start := time.Now()
	err := t.retrying(func() error { return t.client.CommitTransaction(context.Background()) })
	if err != nil {
		return fmt.Errorf("cannot commit the transaction of %q: %w", t.config.ID, err)
	}
	t.aborted = false
	if time.Since(start) > slow {
		t.suspect.Store(true)
	}
	return nil
}

// Abort drops the transaction. Any error from it, whatever it is, means the
// producer must be made anew.
func (t *Txn) Abort() error {
	err := t.retrying(func() error { return t.client.AbortTransaction(context.Background()) })
	if err != nil {
		return fmt.Errorf("cannot abort the transaction of %q: %w", t.config.ID, err)
	}
	t.refused, t.aborted = nil, true
	return nil
}

// retrying repeats a call with the same arguments while it may be repeated,
// within the transaction's time. A context of our own would put librdkafka's
// view of the transaction at risk.
func (t *Txn) retrying(call func() error) error {
	deadline := time.Now().Add(t.config.Timeout)
	backoff := 5 * time.Millisecond
	for {
		err := call()
		if Classify(err) != Retry {
			return err
		}
		t.suspect.Store(true)
		if !time.Now().Before(deadline) {
			return err
		}
		time.Sleep(backoff)
		backoff = min(2*backoff, 200*time.Millisecond)
	}
}

// Suspect says that a request of an ended transaction may still be on its way:
// a connection was lost, or a commit was slow. librdkafka lacks KIP-890, so
// such a request can hit the next transaction; a new producer with the same id
// is out of its reach.
func (t *Txn) Suspect() bool { return t.suspect.Load() }

// Close ends the producer; again, it does nothing. An open transaction stays open
// until the next Init of the same id, or its timeout.
func (t *Txn) Close() {
	if t.topics != nil {
		t.topics.close()
		t.topics = nil
	}
	t.client.Close()
	<-t.drained
	t.free()
}
