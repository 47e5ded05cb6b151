package broker_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"parallax.example/internal/broker"
)

func start(t *testing.T, c broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func client(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAnnouncedVersions(t *testing.T) {
	b := start(t, broker.Config{})
	answer, err := kmsg.NewPtrApiVersionsRequest().RequestWith(within(t), client(t, b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	announced := make(map[int16]int16)
	for _, k := range answer.ApiKeys {
		announced[k.ApiKey] = k.MaxVersion
	}
	if v := announced[int16(kmsg.CreateTopics)]; v != 4 {
		t.Errorf("CreateTopics up to %d, want 4", v)
	}
	if v, ok := announced[int16(kmsg.DescribeTopicPartitions)]; ok {
		t.Errorf("DescribeTopicPartitions is announced, version %d", v)
	}
	// What transaction.version 2 promises to Java clients.
	if v := announced[int16(kmsg.Produce)]; v < 12 {
		t.Errorf("Produce up to %d, want at least 12", v)
	}
	if v := announced[int16(kmsg.EndTxn)]; v < 5 {
		t.Errorf("EndTxn up to %d, want at least 5", v)
	}
	transactions := int16(0)
	for _, f := range answer.FinalizedFeatures {
		if f.Name == "transaction.version" {
			transactions = f.MaxVersionLevel
		}
	}
	if transactions != 2 {
		t.Errorf("transaction.version %d, want 2", transactions)
	}
}

func TestNoTopicComesByItself(t *testing.T) {
	b := start(t, broker.Config{})
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("surprise")
	request.Topics, request.AllowAutoTopicCreation = append(request.Topics, topic), true
	answer, err := request.RequestWith(within(t), c)
	if err != nil {
		t.Fatal(err)
	}
	if code := answer.Topics[0].ErrorCode; code != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("error code %d, want %d", code, kerr.UnknownTopicOrPartition.Code)
	}
}

func TestBusyPort(t *testing.T) {
	b := start(t, broker.Config{})
	_, err := broker.Start(broker.Config{Addr: b.Addr()})
	if err == nil || !strings.Contains(err.Error(), b.Addr()) || !strings.Contains(err.Error(), "in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("busy port: %v", err)
	}
}

func TestCloseFreesThePort(t *testing.T) {
	b := start(t, broker.Config{})
	b.Close()
	l, err := net.Listen("tcp", b.Addr())
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	l.Close()
}

func TestDataDirKeepsRecords(t *testing.T) {
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "kept", 1, 1
	create.Topics, create.TimeoutMillis = append(create.Topics, topic), 1000
	c := client(t, b.Addr())
	if _, err := create.RequestWith(within(t), c); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(within(t), &kgo.Record{Topic: "kept", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.Close()

	again := start(t, broker.Config{DataDir: dir})
	r, err := kgo.NewClient(kgo.SeedBrokers(again.Addr()), kgo.ConsumeTopics("kept"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fetches := r.PollFetches(within(t))
	if records := fetches.Records(); len(records) != 1 || string(records[0].Value) != "v" {
		t.Errorf("after a restart: %d records, errors %v", len(records), fetches.Errors())
	}
	if _, err := broker.Start(broker.Config{DataDir: "/dev/null/x"}); err == nil {
		t.Error("an impossible data directory was accepted")
	}
}

// What an aborted transaction wrote stays invisible, also where an answer is full
// in the middle of it. (kfake told the reader nothing of the transaction then.)
func TestAbortedRecordsStayInvisible(t *testing.T) {
	b := start(t, broker.Config{})
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 2, 1
	create.Topics, create.TimeoutMillis = append(create.Topics, topic), 1000
	if _, err := create.RequestWith(within(t), client(t, b.Addr())); err != nil {
		t.Fatal(err)
	}
	p, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.TransactionalID("writer"), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	write := func(value string, times int, end kgo.TransactionEndTry) {
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range times { // each a batch of its own
			if err := p.ProduceSync(within(t), &kgo.Record{Partition: int32(i % 2), Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.EndTransaction(within(t), end); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Repeat("aborted ", 1000), 40, kgo.TryAbort)
	write("committed", 2, kgo.TryCommit)
	r, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(100_000), kgo.FetchMaxPartitionBytes(80_000))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for committed := 0; committed < 2; {
		fetches := r.PollFetches(within(t))
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d committed records: %v", committed, err)
		}
		for _, record := range fetches.Records() {
			if string(record.Value) != "committed" {
				t.Fatalf("partition %d gives the aborted record at %d", record.Partition, record.Offset)
			}
			committed++
		}
	}
}
