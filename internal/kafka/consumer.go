package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// GroupConfig makes a consumer a member of a group.
type GroupConfig struct {
	Group    string
	Topic    string
	Instance string // static member: the slot, unique in the group; "" joins as a new member each time

	SessionTimeout  time.Duration // 0 = 45 s; without a sign of life for so long the member is out
	MaxPollInterval time.Duration // 0 = 5 min; the longest time between two polls, callbacks included

	MaxRecords int  // per Poll; 0 takes a sensible number
	Keys       bool // fill the batches' keys and tombstones

	Fetch     FetchPath     // how records come out of the client; 0 = FetchAuto
	FetchWait time.Duration // 0 = 20 ms; how long the broker may keep a request open until there is something
	// FetchQueue bounds the bytes of records which wait in the client, of all
	// partitions together; 0 is 4 MiB for each on FetchBatch, 64 MiB on FetchPoll.
	// Small records take some times their size, and one answer of the broker may
	// go beyond, by 1 MiB as it was sent (8 on FetchPoll).
	FetchQueue int
	// Partitions is how many the topic has: FetchBatch has a queue for each, and
	// gives it its part of FetchQueue, since this member may own all. 0 counts as 1.
	Partitions int

	// OnAssigned and OnRevoked run inside Poll and Close, on their goroutine.
	// OnAssigned returns the offset to begin at for each partition, or Earliest;
	// its error comes back from Poll. In OnRevoked, lost says that the partitions
	// may already have another owner.
	OnAssigned func(partitions []int32) (offsets []int64, err error)
	OnRevoked  func(partitions []int32, lost bool)
}

func (g *GroupConfig) heartbeat() time.Duration { return min(g.SessionTimeout/10, time.Second) }

// Consumer is a member of a group which reads one topic. Partitions are
// assigned eagerly, by range: any change takes all of them away first.
type Consumer struct {
	fetcher
	group   GroupConfig
	owner   bool  // has an assignment
	trouble error // of a callback, whose own return value the client ignores
	free    func()
}

// NewConsumer joins the group; the first Poll brings partitions.
func NewConsumer(c Config, g GroupConfig) (*Consumer, error) {
	if g.SessionTimeout == 0 {
		g.SessionTimeout = 45 * time.Second
	}
	if g.MaxPollInterval == 0 {
		g.MaxPollInterval = 5 * time.Minute
	}
	own := fetching{g.Fetch, g.FetchWait, g.FetchQueue, g.Partitions}.settings()
	own["group.id"] = g.Group
	own["partition.assignment.strategy"] = "range"
	own["session.timeout.ms"] = millis(g.SessionTimeout)
	// A rebalance is noticed at a heartbeat, so they are more frequent than the default.
	own["heartbeat.interval.ms"] = millis(g.heartbeat())
	own["max.poll.interval.ms"] = millis(max(g.MaxPollInterval, g.SessionTimeout))
	if g.Instance != "" {
		own["group.instance.id"] = g.Instance
	}
	conf, free, err := c.settings(own)
	if err != nil {
		return nil, err
	}
	client, err := ck.NewConsumer(conf)
	if err != nil {
		free()
		return nil, fmt.Errorf("cannot make a Kafka consumer for %q: %w", c.Brokers, err)
	}
	connect(client)
	k := &Consumer{group: g, free: free}
	k.fetcher, err = newFetcher(client, c.log(), g.Keys, g.MaxRecords, g.Fetch)
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	if err := client.Subscribe(g.Topic, k.rebalance); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot subscribe to topic %q: %w", g.Topic, err), k.Close())
	}
	return k, nil
}

// Poll waits at most wait for records and returns what there is, one batch per
// partition, valid until the next Poll. Assignments change inside.
func (k *Consumer) Poll(wait time.Duration) ([]*Batch, error) {
	batches, err := k.poll(wait)
	if k.trouble != nil {
		err, k.trouble = k.trouble, nil
	}
	if err != nil {
		return nil, err
	}
	return batches, nil
}

// rebalance is called by the client inside Poll and Close. It always answers
// with Assign or Unassign, or the group would wait for it.
func (k *Consumer) rebalance(_ *ck.Consumer, event ck.Event) error {
	switch e := event.(type) {
	case ck.AssignedPartitions:
		k.trouble = errors.Join(k.trouble, k.assign(partitions(e.Partitions)))
	case ck.RevokedPartitions:
		k.leave()
		k.group.OnRevoked(partitions(e.Partitions), k.consumer.AssignmentLost())
		k.owner = false
		k.trouble = errors.Join(k.trouble, k.consumer.Unassign())
	}
	return nil
}

func (k *Consumer) assign(parts []int32) error {
	k.leave()
	offsets, err := k.group.OnAssigned(parts)
	if err != nil {
		return errors.Join(err, k.consumer.Unassign())
	}
	if len(offsets) != len(parts) {
		panic(fmt.Sprintf("BUG: OnAssigned returned %d offsets for %d partitions", len(offsets), len(parts)))
	}
	tps := topicPartitions(k.group.Topic, parts)
	for i := range tps {
		tps[i].Offset = ck.Offset(offsets[i])
	}
	k.owner = true
	return k.fetcher.assign(tps)
}

func partitions(tps []ck.TopicPartition) []int32 {
	parts := make([]int32, len(tps))
	for i, tp := range tps {
		parts[i] = tp.Partition
	}
	return parts
}

// Seek makes an assigned partition continue at offset.
func (k *Consumer) Seek(partition int32, offset int64) error {
	var err error
	for began := time.Now(); ; {
		tps := topicPartitions(k.group.Topic, []int32{partition})
		tps[0].Offset = ck.Offset(offset)
		if tps, err = k.consumer.SeekPartitions(tps); err == nil && tps[0].Error != nil {
			err = tps[0].Error
		}
		// Outdated: the client was still busy with what the partition was told before.
		if code(err) != ck.ErrOutdated || time.Since(began) > patience {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("cannot seek topic %q, partition %d to offset %d: %w", k.group.Topic, partition, offset, err)
	}
	k.forget(place{k.group.Topic, partition})
	return nil
}

// Hold makes Poll leave an assigned partition's records where they are, so that
// other partitions go on while this one waits for something; on = false ends
// that, and so does a rebalance. Nothing is lost, and order stays.
func (k *Consumer) Hold(partition int32, on bool) { k.hold(place{k.group.Topic, partition}, on) }

// Committed returns the group's committed offsets in the order of partitions.
// It waits until no open transaction can change them any more, at most timeout.
func (k *Consumer) Committed(partitions []int32, timeout time.Duration) ([]Committed, error) {
	answer, err := k.consumer.Committed(topicPartitions(k.group.Topic, partitions), millis(timeout))
	if err != nil {
		return nil, fmt.Errorf("cannot read the committed offsets of group %q: %w", k.group.Group, err)
	}
	return committed(k.group.Group, partitions, answer)
}

// Commit commits positions for the group by themselves, outside any transaction.
// The coordinator refuses them if this member is not in the group's current
// generation. What is only not possible at the moment is tried again, for at most
// timeout. It may be called beside Poll.
func (k *Consumer) Commit(positions []Committed, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		err := k.commit(positions)
		if err == nil {
			return nil
		}
		if !Transient(err) || !time.Now().Before(deadline) {
			return fmt.Errorf("cannot commit offsets of topic %q for group %q: %w", k.group.Topic, k.group.Group, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (k *Consumer) commit(positions []Committed) error {
	answer, err := k.consumer.CommitOffsets(offsets(k.group.Topic, positions))
	for _, tp := range answer {
		err = cmp.Or(err, tp.Error)
	}
	return err
}

// offsets are positions as the client takes them.
func offsets(topic string, positions []Committed) []ck.TopicPartition {
	tps := make([]ck.TopicPartition, len(positions))
	for i, p := range positions {
		tps[i] = ck.TopicPartition{Topic: &topic, Partition: p.Partition, Offset: ck.Offset(p.Offset), Metadata: &p.Metadata}
	}
	return tps
}

// GroupMetadata proves membership to the coordinator. It is stale after the
// next rebalance, even one that changes nothing, so take it for each commit. Only
// the cluster that gave the proof can read it.
type GroupMetadata struct{ Proof any }

// Metadata returns the proof of membership for a transaction. Without an
// assignment there is none: what the client would return then passes the
// coordinator unchecked.
func (k *Consumer) Metadata() (GroupMetadata, error) {
	if !k.owner {
		return GroupMetadata{}, fmt.Errorf("cannot commit for group %q: no partition is assigned", k.group.Group)
	}
	m, err := k.consumer.GetConsumerGroupMetadata()
	if err == nil {
		err = proves(m)
	}
	if err != nil {
		return GroupMetadata{}, fmt.Errorf("cannot commit for group %q: %w", k.group.Group, err)
	}
	return GroupMetadata{m}, nil
}

// Lost says that the assignment was taken away without asking. It may miss
// some cases; the coordinator's check of the generation does not.
func (k *Consumer) Lost() bool { return k.consumer.AssignmentLost() }

// Heartbeat is how often the coordinator is asked whether this member still
// belongs to the group. A no comes with a poll: a revocation, or an error.
func (k *Consumer) Heartbeat() time.Duration { return k.group.heartbeat() }

// Close leaves the group (a static member keeps its place until its session
// ends) and runs OnRevoked.
func (k *Consumer) Close() error {
	err := k.close()
	k.free()
	return errors.Join(err, k.trouble)
}
