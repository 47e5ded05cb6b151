package broker

import (
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"parallax.example/internal/kafka"
)

// A partition that was just made may refuse its first request and take the next
// one, which is already on its way. Of a producer that it has never heard of it
// takes any sequence number, and the client holds what follows a failure for the
// failure's acknowledgement: the first records of a committed transaction were
// lost, without an error.
func TestFirstRequestIsRefused(t *testing.T) {
	b, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	config := kafka.Config{Brokers: b.Addr()}
	admin, err := kafka.NewAdmin(config)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.EnsureTopics(t.Context(), []kafka.TopicSpec{{Name: "t", Partitions: 1, Replication: 1}}); err != nil {
		t.Fatal(err)
	}
	var refused atomic.Int32 // the broker answers on goroutines of its own
	b.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		request := r.(*kmsg.ProduceRequest)
		answer := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.Topics {
			at := kmsg.NewProduceResponseTopic()
			at.Topic, at.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				one := kmsg.NewProduceResponseTopicPartition()
				one.Partition, one.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code
				at.Partitions = append(at.Partitions, one)
			}
			answer.Topics = append(answer.Topics, at)
		}
		time.Sleep(100 * time.Millisecond) // the next request is on its way now
		refused.Add(1)
		return answer, nil, true
	})

	x, err := kafka.NewTxn(config, kafka.TxnConfig{ID: "first"})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.Begin(); err != nil {
		t.Fatal(err)
	}
	const records = 6
	large := []byte(strings.Repeat("x", 700_000)) // each is a request of its own
	for range records {
		if err := x.Produce(kafka.Record{Topic: "t", Value: large}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Commit(); err != nil {
		t.Fatal(err)
	}
	ends, err := admin.Offsets(t.Context(), "t", []int32{0})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = kafka.ReadTo(t.Context(), config, kafka.ReaderConfig{}, []kafka.Range{{Topic: "t", To: ends[0].High}}, 10*time.Second, func(b *kafka.Batch) error {
		found += b.Len()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if refused.Load() == 0 || found != records {
		t.Errorf("%d requests were refused, and of %d committed records %d are there", refused.Load(), records, found)
	}
}

// brokerWithTopic is a broker with the topic "t" of one partition, and an admin
// client that knows its leader.
func brokerWithTopic(t *testing.T) (*Broker, *kafka.Admin) {
	t.Helper()
	b, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	admin, err := kafka.NewAdmin(kafka.Config{Brokers: b.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	if err := admin.EnsureTopics(t.Context(), []kafka.TopicSpec{{Name: "t", Partitions: 1, Replication: 1}}); err != nil {
		t.Fatal(err)
	}
	return b, admin
}

// Who asks for offsets while a partition has no leader yet is answered once it
// has one. The first such answer ended a processor that was taking over.
func TestOffsetsWaitForALeader(t *testing.T) {
	b, admin := brokerWithTopic(t)
	var refused atomic.Int32 // the broker answers on goroutines of its own
	b.cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		if refused.Load() == 5 {
			return nil, nil, false
		}
		refused.Add(1)
		request := r.(*kmsg.ListOffsetsRequest)
		answer := request.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range request.Topics {
			at := kmsg.NewListOffsetsResponseTopic()
			at.Topic = topic.Topic
			for _, p := range topic.Partitions {
				one := kmsg.NewListOffsetsResponseTopicPartition()
				one.Partition, one.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code
				at.Partitions = append(at.Partitions, one)
			}
			answer.Topics = append(answer.Topics, at)
		}
		return answer, nil, true
	})
	if _, err := admin.Offsets(t.Context(), "t", []int32{0}); err != nil || refused.Load() != 5 {
		t.Errorf("after %d refusals: %v", refused.Load(), err)
	}
}

// While a partition has no leader, as when the only broker was away for long enough
// to be fenced, offsets wait for one.
func TestOffsetsWaitWithoutALeader(t *testing.T) {
	b, _ := brokerWithTopic(t)
	host, port, err := net.SplitHostPort(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32 // the broker answers on goroutines of its own
	b.cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		if asked.Add(1) > 3 {
			return nil, nil, false
		}
		answer := r.(*kmsg.MetadataRequest).ResponseKind().(*kmsg.MetadataResponse)
		node := kmsg.NewMetadataResponseBroker()
		node.Host, node.Port = host, int32(number)
		answer.Brokers = append(answer.Brokers, node)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = kmsg.StringPtr("t")
		partition := kmsg.NewMetadataResponseTopicPartition()
		partition.ErrorCode, partition.Leader = kerr.LeaderNotAvailable.Code, -1
		topic.Partitions = append(topic.Partitions, partition)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
	fresh, err := kafka.NewAdmin(kafka.Config{Brokers: b.Addr()}) // the other one knows a leader
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if _, err := fresh.Offsets(t.Context(), "t", []int32{0}); err != nil || asked.Load() <= 3 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}
