package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// patience is how long an administrative call may take if its context says nothing.
const patience = 5 * time.Second

// ErrNoTopic says that a topic does not exist.
var ErrNoTopic = errors.New("topic does not exist")

// Admin asks about topics and offsets and makes topics.
type Admin struct {
	brokers string
	client  *ck.AdminClient
	free    func()
}

// NewAdmin makes a client. That no broker answers is not an error yet: see Ping.
func NewAdmin(c Config) (*Admin, error) {
	conf, free, err := c.settings(nil)
	if err != nil {
		return nil, err
	}
	client, err := ck.NewAdminClient(conf)
	if err != nil {
		free()
		return nil, fmt.Errorf("cannot make a Kafka admin client for %q: %w", c.Brokers, err)
	}
	connect(client)
	return &Admin{brokers: c.Brokers, client: client, free: free}, nil
}

// Close ends the client. It must not be used afterwards.
func (a *Admin) Close() {
	a.client.Close()
	a.free()
}

// Ping returns nil if a broker answers within a few seconds.
func (a *Admin) Ping(ctx context.Context) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	// Dialled by hand first: librdkafka keeps trying until the deadline and
	// then says "timed out", the system says "connection refused" at once.
	if err := dial(ctx, a.brokers); err != nil {
		return unreachable(a.brokers, err)
	}
	if _, err := a.client.DescribeCluster(ctx); err != nil {
		return unreachable(a.brokers, err)
	}
	return nil
}

// dial returns nil if one of the addresses takes a connection.
func dial(ctx context.Context, brokers string) error {
	var last error
	for addr := range strings.SplitSeq(brokers, ",") {
		addr = strings.TrimSpace(addr)
		if !strings.Contains(addr, ":") {
			addr += ":9092" // librdkafka's default
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		last = err
	}
	return last
}

func unreachable(brokers string, cause error) error { return &UnreachableError{brokers, cause} }

// UnreachableError says that no broker takes a connection, or none answers.
type UnreachableError struct {
	Brokers string // as configured
	Cause   error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cannot reach Kafka at %q: %v; is the broker running?", e.Brokers, e.Cause)
}
func (e *UnreachableError) Unwrap() error { return e.Cause }

func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, patience)
}

// EnsureTopics makes the topics that are missing. One that exists with another
// partition count is an error: keys would move between partitions.
func (a *Admin) EnsureTopics(ctx context.Context, specs []TopicSpec) error {
	if err := a.Ping(ctx); err != nil {
		return err
	}
	deadline, cancel := withPatience(ctx)
	defer cancel()
	wanted := make([]ck.TopicSpecification, len(specs))
	for i, s := range specs {
		wanted[i] = ck.TopicSpecification{Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: s.Replication, Config: s.Config}
	}
	results, err := a.client.CreateTopics(deadline, wanted)
	if err != nil {
		return fmt.Errorf("cannot make topics: %w", err)
	}
	for _, r := range results {
		if c := r.Error.Code(); c != ck.ErrNoError && c != ck.ErrTopicAlreadyExists {
			return fmt.Errorf("cannot make topic %q: %w", r.Topic, r.Error)
		}
	}
	for _, s := range specs {
		info, err := a.appear(deadline, s.Name)
		if err != nil {
			return err
		}
		if info.Partitions != s.Partitions {
			return fmt.Errorf("cannot use topic %q: it has %d partitions, %d are configured; change the configuration or choose another topic prefix", s.Name, info.Partitions, s.Partitions)
		}
	}
	return nil
}

// appear waits until a topic is known: a broker may answer CreateTopics before
// every broker has heard of it.
func (a *Admin) appear(ctx context.Context, name string) (TopicInfo, error) {
	for {
		info, err := a.Topic(ctx, name)
		if err == nil || !errors.Is(err, ErrNoTopic) {
			return info, err
		}
		select {
		case <-ctx.Done():
			return info, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// patiently asks again while the answer is a failure that may be over by itself:
// a leader moves, a coordinator loads. What does not end before ctx is returned.
func patiently[T any](ctx context.Context, a *Admin, topic string, ask func() (T, error)) (T, error) {
	for {
		answer, err := ask()
		noLeader := code(err) == ck.ErrNoent // of any partition, so far as the metadata says
		if err == nil || !Transient(err) && !noLeader {
			return answer, err
		}
		switch code(err) {
		case ck.ErrNoent, ck.ErrNotLeaderForPartition, ck.ErrFencedLeaderEpoch, ck.ErrUnknownLeaderEpoch, ck.ErrLeaderNotAvailable:
			// An admin client goes on with the leaders that it knows, for minutes.
			m, failed := a.client.GetMetadata(&topic, false, millis(time.Second)) // the next answer tells
			if noLeader && failed == nil && m.Topics[topic].Error.Code() == ck.ErrUnknownTopicOrPart {
				return answer, err // nor will it ever have one
			}
		}
		select {
		case <-ctx.Done():
			return answer, err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// DeleteTopic removes a topic and what it holds.
func (a *Admin) DeleteTopic(ctx context.Context, name string) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	results, err := a.client.DeleteTopics(ctx, []string{name})
	if err == nil && results[0].Error.Code() != ck.ErrNoError {
		err = results[0].Error
	}
	if err != nil {
		return fmt.Errorf("cannot delete topic %q: %w", name, a.explain(err))
	}
	return nil
}

// TopicInfo is a topic's identity. A topic which is deleted and made again has
// the same name and another ID.
type TopicInfo struct {
	Name       string
	ID         string
	Partitions int
}

// Topic describes a topic; ErrNoTopic if there is none of that name.
func (a *Admin) Topic(ctx context.Context, name string) (TopicInfo, error) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	return patiently(ctx, a, name, func() (TopicInfo, error) { return a.topic(ctx, name) })
}

func (a *Admin) topic(ctx context.Context, name string) (TopicInfo, error) {
	result, err := a.client.DescribeTopics(ctx, ck.NewTopicCollectionOfTopicNames([]string{name}))
	if err != nil {
		return TopicInfo{}, fmt.Errorf("cannot describe topic %q: %w", name, a.explain(err))
	}
	t := result.TopicDescriptions[0]
	switch t.Error.Code() {
	case ck.ErrNoError:
		return TopicInfo{Name: name, ID: t.TopicID.String(), Partitions: len(t.Partitions)}, nil
	case ck.ErrUnknownTopicOrPart, ck.ErrUnknownTopic:
		return TopicInfo{}, fmt.Errorf("cannot describe topic %q: %w", name, ErrNoTopic)
	default:
		return TopicInfo{}, fmt.Errorf("cannot describe topic %q: %w", name, t.Error)
	}
}

// explain turns a time-out into the reason for it, where one can be found.
func (a *Admin) explain(err error) error {
	c := code(err)
	if !errors.Is(err, context.DeadlineExceeded) && c != ck.ErrTimedOut && c != ck.ErrTransport {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if cause := dial(ctx, a.brokers); cause != nil {
		return unreachable(a.brokers, cause)
	}
	return err
}

// Offsets are the ends of a partition's log.
type Offsets struct {
	Partition int32
	Earliest  int64 // the first offset still there
	Stable    int64 // end of what readers of committed records can see
	High      int64 // end of the log, open transactions and markers included
}

// Offsets returns the ends of the given partitions, in their order.
func (a *Admin) Offsets(ctx context.Context, topic string, partitions []int32) ([]Offsets, error) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	return patiently(ctx, a, topic, func() ([]Offsets, error) { return a.offsets(ctx, topic, partitions) })
}

func (a *Admin) offsets(ctx context.Context, topic string, partitions []int32) ([]Offsets, error) {
	result := make([]Offsets, len(partitions))
	for i, p := range partitions {
		result[i].Partition = p
	}
	ask := func(spec ck.OffsetSpec, level ck.IsolationLevel, set func(*Offsets, int64)) error {
		query := make(map[ck.TopicPartition]ck.OffsetSpec, len(partitions))
		for _, p := range partitions {
			query[ck.TopicPartition{Topic: &topic, Partition: p}] = spec
		}
		answer, err := a.client.ListOffsets(ctx, query, ck.SetAdminIsolationLevel(level))
		if err != nil {
			return fmt.Errorf("cannot list the offsets of topic %q: %w", topic, a.explain(err))
		}
		for tp, info := range answer.ResultInfos {
			if info.Error.Code() != ck.ErrNoError {
				return fmt.Errorf("cannot list the offsets of topic %q, partition %d: %w", topic, tp.Partition, info.Error)
			}
			i := slices.Index(partitions, tp.Partition)
			set(&result[i], int64(info.Offset))
		}
		return nil
	}
	if len(partitions) == 0 {
		return result, nil
	}
	// The high watermark last: what was committed before the call is below it.
	if err := ask(ck.EarliestOffsetSpec, ck.IsolationLevelReadUncommitted, func(o *Offsets, v int64) { o.Earliest = v }); err != nil {
		return nil, err
	}
	if err := ask(ck.LatestOffsetSpec, ck.IsolationLevelReadCommitted, func(o *Offsets, v int64) { o.Stable = v }); err != nil {
		return nil, err
	}
	if err := ask(ck.LatestOffsetSpec, ck.IsolationLevelReadUncommitted, func(o *Offsets, v int64) { o.High = v }); err != nil {
		return nil, err
	}
	return result, nil
}

// Committed is a group's committed position in a partition.
type Committed struct {
	Partition int32
	Offset    int64  // the offset to read next; -1 if nothing is committed
	Metadata  string // what was committed with it
}

// Committed returns a group's committed offsets, in the order of partitions. It
// waits for transactions that are about to change them.
func (a *Admin) Committed(ctx context.Context, group, topic string, partitions []int32) ([]Committed, error) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	// Also while an offset is unstable: a consumer's client waits by itself, an
	// admin client does not.
	return patiently(ctx, a, topic, func() ([]Committed, error) { return a.committed(ctx, group, topic, partitions) })
}

func (a *Admin) committed(ctx context.Context, group, topic string, partitions []int32) ([]Committed, error) {
	result, err := a.client.ListConsumerGroupOffsets(ctx,
		[]ck.ConsumerGroupTopicPartitions{{Group: group, Partitions: topicPartitions(topic, partitions)}},
		ck.SetAdminRequireStableOffsets(true))
	if code(err) == ck.ErrGroupIDNotFound { // some brokers do not know a group before its first member
		return uncommitted(partitions), nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the committed offsets of group %q: %w", group, a.explain(err))
	}
	return committed(group, partitions, result.ConsumerGroupsTopicPartitions[0].Partitions)
}

// GroupTopics returns the topics of which the members of a group own partitions
// now, sorted.
func (a *Admin) GroupTopics(ctx context.Context, group string) ([]string, error) {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	return patiently(ctx, a, "", func() ([]string, error) { return a.groupTopics(ctx, group) })
}

func (a *Admin) groupTopics(ctx context.Context, group string) ([]string, error) {
	result, err := a.client.DescribeConsumerGroups(ctx, []string{group})
	if err == nil && result.ConsumerGroupDescriptions[0].Error.Code() != ck.ErrNoError {
		err = result.ConsumerGroupDescriptions[0].Error
	}
	if err != nil {
		return nil, fmt.Errorf("cannot describe group %q: %w", group, a.explain(err))
	}
	var topics []string
	for _, m := range result.ConsumerGroupDescriptions[0].Members {
		for _, tp := range m.Assignment.TopicPartitions {
			topics = append(topics, *tp.Topic)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics), nil
}

// uncommitted is the answer for a group that has committed nothing.
func uncommitted(partitions []int32) []Committed {
	result := make([]Committed, len(partitions))
	for i, p := range partitions {
		result[i] = Committed{Partition: p, Offset: -1}
	}
	return result
}

// committed orders what a broker answered by the partitions asked for.
func committed(group string, partitions []int32, answer []ck.TopicPartition) ([]Committed, error) {
	found := make(map[int32]Committed, len(answer))
	for _, tp := range answer {
		if tp.Error != nil {
			return nil, fmt.Errorf("cannot read the committed offset of group %q, partition %d: %w", group, tp.Partition, tp.Error)
		}
		c := Committed{Partition: tp.Partition, Offset: int64(tp.Offset)}
		if tp.Offset < 0 {
			c.Offset = -1
		}
		if tp.Metadata != nil {
			c.Metadata = *tp.Metadata
		}
		found[tp.Partition] = c
	}
	result := make([]Committed, len(partitions))
	for i, p := range partitions {
		c, ok := found[p]
		if !ok {
			return nil, fmt.Errorf("cannot read the committed offset of group %q, partition %d: the broker left it out", group, p)
		}
		result[i] = c
	}
	return result, nil
}

func topicPartitions(topic string, partitions []int32) []ck.TopicPartition {
	tps := make([]ck.TopicPartition, len(partitions))
	for i, p := range partitions {
		tps[i] = ck.TopicPartition{Topic: &topic, Partition: p, Offset: ck.OffsetInvalid}
	}
	return tps
}
