package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Config says how every client of this process reaches Kafka.
type Config struct {
	Brokers  string       // host:port, several separated by commas
	ClientID string       // shown in the broker's logs; each client adds a suffix of its own
	Log      *slog.Logger // takes librdkafka's lines; nil discards them
}

// clients numbers the clients of this process. Two consumers under one client
// id can send librdkafka into an endless rebalance.
var clients atomic.Int64

// settings joins the fixed settings of every client with those of one kind.
// The second result must run after the client is closed.
func (c Config) settings(own ck.ConfigMap) (*ck.ConfigMap, func(), error) {
	if c.Brokers == "" {
		return nil, nil, errors.New("cannot reach Kafka: no broker address is configured")
	}
	id := c.ClientID
	if id == "" {
		id = "parallax"
	}
	logs := make(chan ck.LogEvent, 64)
	all := ck.ConfigMap{
		"bootstrap.servers": c.Brokers,
		"client.id":         fmt.Sprintf("%s-%d-%d", id, os.Getpid(), clients.Add(1)),
		// Topics are made by EnsureTopics with a known partition count, or not at all.
		"allow.auto.create.topics": false,
		"enable.metrics.push":      false,
		// A restarted broker should be found again in a second, not in ten.
		"reconnect.backoff.ms":     50,
		"reconnect.backoff.max.ms": 1000,
		"go.logs.channel.enable":   true,
		"go.logs.channel":          logs,
	}
	maps.Copy(all, own)
	go forward(logs, c.log())
	return &all, sync.OnceFunc(func() { close(logs) }), nil
}

// forward writes librdkafka's lines to the log until the channel is closed.
// They are for who looks for them: each failed connection is a line, and what
// matters comes as an error from a call as well.
func forward(logs <-chan ck.LogEvent, log *slog.Logger) {
	for line := range logs {
		log.Debug("kafka client", "client", line.Name, "tag", line.Tag, "message", line.Message)
	}
}

func (c Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// overcome logs an error that the client gets over by itself, in time. Only
// that nobody answers at all is worth a person's attention.
func overcome(log *slog.Logger, err error) {
	if code(err) == ck.ErrAllBrokersDown {
		log.Warn("no broker answers; trying on", "error", err)
		return
	}
	log.Debug("kafka client", "error", err)
}

// connect waits for a first connection, at most a second. What a client begins
// before it has one it tries again only every half second, for some things
// every few seconds. Without a broker the client's own calls say so.
func connect(client interface {
	GetMetadata(topic *string, all bool, timeout int) (*ck.Metadata, error)
}) {
	_, _ = client.GetMetadata(nil, false, millis(time.Second))
}

// millis is a duration as librdkafka wants it.
func millis(d time.Duration) int { return int(d / time.Millisecond) }

// code is the error code of err, or ErrNoError if it is none of librdkafka's.
func code(err error) ck.ErrorCode {
	var e ck.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return ck.ErrNoError
}
