package kafka

import (
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"parallax.example/internal/failpoint"
)

// fetching is what a configuration says about its requests; see GroupConfig.
type fetching struct {
	path       FetchPath
	wait       time.Duration
	queue      int
	partitions int // that may be assigned
}

// settings are those of every consumer.
func (f fetching) settings() ck.ConfigMap {
	queue, records, answer := 64<<20, 1_000_000, 8<<20
	if f.queue != 0 {
		queue = f.queue
	}
	if f.path != FetchPoll && able() == nil {
		// The client counts what waits over the queue in which records end: now
		// that of a partition, before the one of all. More makes nothing faster.
		queue = 4 << 20
		if f.queue != 0 {
			queue = f.queue / max(f.partitions, 1)
		}
		records, answer = max(queue/160, 1), 1<<20 // small records need some hundred bytes beside their own
	}
	wait := f.wait
	if wait == 0 {
		wait = 20 * time.Millisecond
	}
	isolation := "read_committed" // also makes Committed wait for stable offsets
	if failpoint.Mutant("kafka/uncommitted") {
		isolation = "read_uncommitted"
	}
	return ck.ConfigMap{
		"isolation.level":          isolation,
		"enable.auto.commit":       false,
		"enable.auto.offset.store": false,
		"auto.offset.reset":        "error", // the default skips to the end
		"check.crcs":               true,
		"enable.partition.eof":     true,
		"fetch.queue.backoff.ms":   2, // the default is a stall of a second when the queue is full
		"fetch.wait.max.ms":        millis(wait),
		"fetch.error.backoff.ms":   50,

		"max.partition.fetch.bytes":  answer,
		"queued.min.messages":        records,
		"queued.max.messages.kbytes": max(queue>>10, 1),
	}
}
