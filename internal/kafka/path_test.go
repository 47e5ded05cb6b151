package kafka

import (
	"errors"
	"strings"
	"testing"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// The batch paths reach the library past the Go client. If an upgrade moves
// what they need, everything still works, slowly: this test is what tells.
func TestBatchesAreAvailable(t *testing.T) {
	if err := able(); err != nil {
		t.Error(err)
	}
	consumer, err := ck.NewConsumer(&ck.ConfigMap{"group.id": "g", "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	if rk, err := native(consumer); err != nil || rk == nil {
		t.Errorf("consumer: %v, %v", rk, err)
	}
	producer, err := ck.NewProducer(&ck.ConfigMap{"log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if rk, err := native(producer); err != nil || rk == nil {
		t.Errorf("producer: %v, %v", rk, err)
	}
}

func TestNativeRefusesAnotherClient(t *testing.T) {
	for _, client := range []any{&struct{}{}, &struct{ handle int }{}, &struct{ handle struct{ rk int } }{}, &struct{ handle struct{ rk *int } }{}} {
		if rk, err := native(client); err == nil {
			t.Errorf("%T gave %v", client, rk)
		}
	}
}

func TestChoosePath(t *testing.T) {
	obstacle := errors.New("too old")
	for _, c := range []struct {
		wanted   FetchPath
		obstacle error
		want     FetchPath
	}{
		{FetchAuto, nil, FetchBatch}, {FetchAuto, obstacle, FetchPoll},
		{FetchPoll, nil, FetchPoll}, {FetchPoll, obstacle, FetchPoll},
		{FetchBatch, nil, FetchBatch},
	} {
		if got, err := choose(c.wanted, c.obstacle); got != c.want || err != nil {
			t.Errorf("%v, %v: %v, %v", c.wanted, c.obstacle, got, err)
		}
	}
	if _, err := choose(FetchBatch, obstacle); !errors.Is(err, obstacle) || !strings.HasPrefix(err.Error(), "cannot read in batches: ") {
		t.Errorf("batches that cannot be: %v", err)
	}
}

// What the client returns before it has joined passes the coordinator
// unchecked. That it is refused shows that the field is read; that a member's
// passes, the tests of transactions show.
func TestMetadataOfNobodyIsRefused(t *testing.T) {
	nobody, err := ck.NewTestConsumerGroupMetadata("g")
	if err != nil {
		t.Fatal(err)
	}
	if err := proves(nobody); !errors.Is(err, errNoMember) {
		t.Errorf("%v", err)
	}
	if err := proves(&ck.ConsumerGroupMetadata{}); err != nil {
		t.Errorf("metadata that cannot be read: %v", err)
	}
}
