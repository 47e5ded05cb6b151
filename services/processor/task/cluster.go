package task

import (
	"context"
	"time"

	"parallax.example/internal/kafka"
)

// Cluster is what the loop uses of Kafka. Brokers gives the real one; the
// simulator stands in for it, and decides when each call returns, and what.
type Cluster interface {
	Admin() (Admin, error)
	Consumer(kafka.GroupConfig) (Consumer, error)
	Producer(kafka.TxnConfig) (Producer, error)
	Sender(kafka.SenderConfig) (Sender, error)
	// ReadTo is kafka.ReadTo.
	ReadTo(ctx context.Context, rc kafka.ReaderConfig, ranges []kafka.Range, stall time.Duration, fn func(*kafka.Batch) error) error
}

// Admin is a *kafka.Admin.
type Admin interface {
	Ping(context.Context) error
	EnsureTopics(context.Context, []kafka.TopicSpec) error
	DeleteTopic(ctx context.Context, name string) error
	Topic(ctx context.Context, name string) (kafka.TopicInfo, error)
	Offsets(ctx context.Context, topic string, partitions []int32) ([]kafka.Offsets, error)
	Committed(ctx context.Context, group, topic string, partitions []int32) ([]kafka.Committed, error)
	GroupTopics(ctx context.Context, group string) ([]string, error)
	Close()
}

// Consumer is a *kafka.Consumer.
type Consumer interface {
	Poll(wait time.Duration) ([]*kafka.Batch, error)
	Seek(partition int32, offset int64) error
	Hold(partition int32, on bool)
	Committed(partitions []int32, timeout time.Duration) ([]kafka.Committed, error)
	Commit(positions []kafka.Committed, timeout time.Duration) error
	Metadata() (kafka.GroupMetadata, error)
	Lost() bool
	Heartbeat() time.Duration
	Path() kafka.FetchPath
	Close() error
}

// Producer takes the output of a partition's batches, and the offset of the input
// that they took in: it is a *kafka.Txn, or gives a weaker guarantee.
type Producer interface {
	Init(context.Context) error
	Begin() error
	Produce(kafka.Record) error
	ProduceAll(*kafka.Records) error
	SendOffsets(topic string, positions []kafka.Committed, member kafka.GroupMetadata) error
	Commit() error
	Abort() error
	Suspect() bool
	Close()
}

// Sender is a *kafka.Sender.
type Sender interface {
	ProduceAll(*kafka.Records) error
	Flush() error
	Close()
}

// Brokers is the cluster that c leads to.
func Brokers(c kafka.Config) Cluster { return brokers{c} }

type brokers struct{ config kafka.Config }

func (b brokers) Admin() (Admin, error) {
	a, err := kafka.NewAdmin(b.config)
	if err != nil {
		return nil, err // and no interface that holds a nil
	}
	return a, nil
}

func (b brokers) Consumer(g kafka.GroupConfig) (Consumer, error) {
	c, err := kafka.NewConsumer(b.config, g)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (b brokers) Producer(t kafka.TxnConfig) (Producer, error) {
	p, err := kafka.NewTxn(b.config, t)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (b brokers) Sender(s kafka.SenderConfig) (Sender, error) {
	p, err := kafka.NewSender(b.config, s)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (b brokers) ReadTo(ctx context.Context, rc kafka.ReaderConfig, ranges []kafka.Range, stall time.Duration, fn func(*kafka.Batch) error) error {
	return kafka.ReadTo(ctx, b.config, rc, ranges, stall, fn)
}
