package kafka

/*
#include "librdkafka.h"
*/
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Record is what a producer sends. The partition is always explicit.
type Record struct {
	Topic      string
	Partition  int32
	Timestamp  int64 // ms since 1970; 0 is the time of sending
	Key, Value []byte
}

// defaultMaxMessage is below the brokers' default limit of 1,048,588 bytes.
const defaultMaxMessage = 1_000_000

// overhead is more than a record's frame and batch add to its key and value.
const overhead = 512

// TooLargeError says that a record can never be sent. It is found before the
// record reaches the client, which would leave it out of a transaction that
// then commits.
type TooLargeError struct {
	Topic       string
	Size, Limit int // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("cannot send %d bytes to topic %q: the limit is %d", e.Size, e.Topic, e.Limit)
}

func (r *Record) check(limit int) error {
	if size := len(r.Key) + len(r.Value) + overhead; size > limit {
		return &TooLargeError{Topic: r.Topic, Size: size, Limit: limit}
	}
	return nil
}

// message is the record for the client, which copies key and value.
func (r *Record) message(opaque any) *ck.Message {
	m := &ck.Message{
		TopicPartition: ck.TopicPartition{Topic: &r.Topic, Partition: r.Partition},
		Key:            r.Key, Value: r.Value, Opaque: opaque,
	}
	if r.Timestamp != 0 {
		m.Timestamp = time.UnixMilli(r.Timestamp)
	}
	return m
}

// sending are the settings of every producer.
func sending(maxMessage int, linger time.Duration) ck.ConfigMap {
	return ck.ConfigMap{
		"enable.idempotence":   true, // off by default in librdkafka
		"acks":                 "all",
		"message.max.bytes":    maxMessage,
		"linger.ms":            strconv.FormatFloat(linger.Seconds()*1000, 'f', -1, 64), // below a millisecond as well
		"batch.num.messages":   100_000,
		"batch.size":           maxMessage,
		"compression.type":     "lz4",
		"socket.nagle.disable": true,
		// One request at a time. The client takes the success of a request for the
		// success of those before it; but a partition that does not know the producer
		// yet accepts any sequence number, so one that refuses the first request (it
		// has no leader yet) and takes the second would lose the first in silence.
		"max.in.flight": 1,

		"queue.buffering.max.messages": 1_000_000,
		"queue.buffering.max.kbytes":   64 << 10,

		// Both default to a million places, 24 MB for each producer.
		"go.events.channel.size":  10_000,
		"go.produce.channel.size": 0,
	}
}

// bound limits the bytes on their way; 0 leaves the limit as it is.
func bound(own ck.ConfigMap, queue, maxMessage int) {
	if queue != 0 {
		own["queue.buffering.max.kbytes"] = max(queue, maxMessage+1023) >> 10
	}
}

// Delivery is the outcome of one record.
type Delivery struct {
	Number    uint64 // as given to Produce
	Partition int32
	Offset    int64 // -1 where the broker had it already from an earlier try
	Timestamp int64 // ms since 1970
	Err       error // nil: it is in the log, once
}

// ProducerConfig configures an idempotent producer.
type ProducerConfig struct {
	Linger     time.Duration // how long a batch may wait to fill
	MaxMessage int           // bytes; 0 = 1,000,000
	Timeout    time.Duration // 0 = 5 min; a record without an outcome by then has failed
	Queue      int           // bytes on their way, as of TxnConfig
	// OnDelivery gets the outcome of every accepted record, on one goroutine,
	// in order within a partition. It must not call the producer.
	OnDelivery func(Delivery)
}

// Producer sends records idempotently: each once and in order per partition,
// or an error in its delivery.
type Producer struct {
	client     *ck.Producer
	native     *C.rd_kafka_t // nil: by the Go client alone
	maxMessage int
	free       func()
	drained    chan struct{}
	fatal      chan struct{} // closed when the client can do nothing more
	failure    error         // why; read after fatal is closed
}

// NewProducer makes a producer. That no broker answers is not an error yet.
func NewProducer(c Config, pc ProducerConfig) (*Producer, error) {
	if pc.MaxMessage == 0 {
		pc.MaxMessage = defaultMaxMessage
	}
	own := sending(pc.MaxMessage, pc.Linger)
	own["go.delivery.report.fields"] = "none"
	if pc.Timeout != 0 {
		own["message.timeout.ms"] = millis(pc.Timeout)
	}
	bound(own, pc.Queue, pc.MaxMessage)
	conf, free, err := c.settings(own)
	if err != nil {
		return nil, err
	}
	client, err := ck.NewProducer(conf)
	if err != nil {
		free()
		return nil, fmt.Errorf("cannot make a Kafka producer for %q: %w", c.Brokers, err)
	}
	connect(client)
	p := &Producer{client: client, maxMessage: pc.MaxMessage, free: free,
		drained: make(chan struct{}), fatal: make(chan struct{})}
	if able() == nil {
		p.native, _ = native(client) // without it there is another way
	}
	go p.drain(c.log(), pc.OnDelivery)
	return p, nil
}

// drain serves the client's events until it is closed.
func (p *Producer) drain(log *slog.Logger, deliver func(Delivery)) {
	defer close(p.drained)
	for event := range p.client.Events() {
		switch e := event.(type) {
		case *ck.Message:
			if deliver == nil {
				continue
			}
			tp := e.TopicPartition
			d := Delivery{Number: e.Opaque.(uint64), Partition: tp.Partition, Offset: int64(tp.Offset), Err: tp.Error}
			if !e.Timestamp.IsZero() {
				d.Timestamp = e.Timestamp.UnixMilli()
			}
			if tp.Offset < 0 {
				d.Offset = -1
			}
			deliver(d)
		case ck.Error:
			if !e.IsFatal() {
				overcome(log, e)
			} else if p.failure == nil {
				p.failure = e
				close(p.fatal)
			}
		case milestone:
			close(e)
		}
	}
}

// milestone is an event of ours: what came before it was dealt with.
type milestone chan struct{}

func (milestone) String() string { return "milestone" }

// delivered waits until the deliveries so far were handed over.
func (p *Producer) delivered() {
	m := make(milestone)
	p.client.Events() <- m
	<-m
}

// Produce hands a record over; number comes back in its Delivery. Key and value
// are copied. While the local queue is full it waits. An error means that the
// record was not accepted and no delivery will come.
func (p *Producer) Produce(ctx context.Context, r Record, number uint64) error {
	if err := r.check(p.maxMessage); err != nil {
		return err
	}
	message := r.message(number)
	for {
		err := p.client.Produce(message, nil)
		if err == nil {
			return nil
		}
		if code(err) != ck.ErrQueueFull {
			return fmt.Errorf("cannot send to topic %q, partition %d: %w", r.Topic, r.Partition, err)
		}
		select { // room comes when the broker acknowledges
		case <-ctx.Done():
			return fmt.Errorf("cannot send to topic %q, partition %d: no room in the client's queue: %w", r.Topic, r.Partition, ctx.Err())
		case <-p.fatal:
			return fmt.Errorf("cannot send to topic %q: %w", r.Topic, p.failure)
		case <-time.After(time.Millisecond):
		}
	}
}

// Flush waits until every accepted record has its outcome.
func (p *Producer) Flush(ctx context.Context) error {
	for p.settle(50*time.Millisecond) > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("cannot flush: %d records have no outcome yet: %w", p.client.Len(), err)
		}
	}
	return nil
}

// settle waits until all records have their outcome, at most for a time, and
// returns how many have none yet. The Go client's Flush would take deliveries
// from the client beside the goroutine that does so already, and so change
// their order.
func (p *Producer) settle(wait time.Duration) int {
	if p.native == nil {
		return p.client.Flush(millis(wait))
	}
	C.rd_kafka_flush(p.native, C.int(millis(wait)))
	n := p.client.Len()
	if n > 0 {
		time.Sleep(100 * time.Microsecond) // the last ones are on their way through the client's channel
	}
	return n
}

// Close ends the producer; records without an outcome fail. It returns when
// the last delivery was handed over.
func (p *Producer) Close() {
	_ = p.client.Purge(ck.PurgeQueue | ck.PurgeInFlight)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if p.settle(50*time.Millisecond) == 0 { // the failures are handed over
			break
		}
	}
	p.client.Close()
	<-p.drained
	p.free()
}
