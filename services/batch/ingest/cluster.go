package ingest

import (
	"context"
	"time"

	"parallax.example/internal/kafka"
)

// Cluster is what an ingester uses of Kafka. The simulator stands in for the real
// one, and decides when each call returns, and what.
type Cluster interface {
	Admin() (Admin, error)
	Consumer(kafka.GroupConfig) (Consumer, error)
}

// Admin is a *kafka.Admin.
type Admin interface {
	Ping(context.Context) error
	Topic(ctx context.Context, name string) (kafka.TopicInfo, error)
	Offsets(ctx context.Context, topic string, partitions []int32) ([]kafka.Offsets, error)
	Close()
}

// Consumer is a *kafka.Consumer.
type Consumer interface {
	Poll(wait time.Duration) ([]*kafka.Batch, error)
	Seek(partition int32, offset int64) error
	Close() error
}

// brokers is the cluster that a configuration leads to.
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
