package kafka

import (
	"context"
	"fmt"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// What retention, expiry and people do to a cluster, for tests and for faults.

// DeleteRecords removes a partition's records below an offset, as retention does.
func (a *Admin) DeleteRecords(ctx context.Context, topic string, partition int32, below int64) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	tps := topicPartitions(topic, []int32{partition})
	tps[0].Offset = ck.Offset(below)
	result, err := a.client.DeleteRecords(ctx, tps)
	if err == nil {
		err = result.DeleteRecordsResults[0].TopicPartition.Error
	}
	if err != nil {
		return fmt.Errorf("cannot delete the records of topic %q, partition %d below offset %d: %w", topic, partition, below, a.explain(err))
	}
	return nil
}

// DeleteGroup removes a group that has no members, with its committed offsets.
func (a *Admin) DeleteGroup(ctx context.Context, group string) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	result, err := a.client.DeleteConsumerGroups(ctx, []string{group})
	if err == nil && result.ConsumerGroupResults[0].Error.Code() != ck.ErrNoError {
		err = result.ConsumerGroupResults[0].Error
	}
	if err != nil {
		return fmt.Errorf("cannot delete group %q: %w", group, a.explain(err))
	}
	return nil
}
