package kafka_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/kafka"
)

type newSender = func(kafka.Config, kafka.SenderConfig) (*kafka.Sender, error)

// eachSender runs a test with both ways of sending.
func eachSender(t *testing.T, test func(t *testing.T, make newSender)) {
	t.Run("native", func(t *testing.T) { test(t, kafka.NewSender) })
	t.Run("by the Go client", func(t *testing.T) { test(t, kafka.NewSlowSender) })
}

func sender(t *testing.T, c kafka.Config, make newSender, sc kafka.SenderConfig) *kafka.Sender {
	t.Helper()
	s, err := make(c, sc)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// After Flush everything is in the log, once and in order, whichever way it went.
func TestSenderWritesAll(t *testing.T) {
	c := start(t)
	var logs [][][]row
	eachSender(t, func(t *testing.T, make newSender) {
		r := rand.New(rand.NewPCG(8, 8)) // the same for each
		var topics []string
		for i := range 3 {
			topics = append(topics, topic(t, c, fmt.Sprintf("out-%d-%d", len(logs), i), 2))
		}
		s := sender(t, c, make, kafka.SenderConfig{Linger: time.Second})
		began := time.Now()
		for range 10 {
			for range r.IntN(4) {
				list := kafka.Records{Topics: topics, Partition: r.Int32N(2)}
				for range r.IntN(400) {
					list.Add(r.IntN(len(topics)), randomBytes(r, 0), randomBytes(r, 10_000))
				}
				must(t, s.ProduceAll(&list))
			}
			must(t, s.Flush())
		}
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("took %s: a flush waits for the linger", took)
		}
		var all [][]row
		for _, topic := range topics {
			all = append(all, readAll(t, c, topic, 2, kafka.ReaderConfig{})...)
		}
		logs = append(logs, all)
	})
	records := 0
	for i := range logs[0] {
		sameRows(t, fmt.Sprintf("log %d", i), content(logs[0][i]), content(logs[1][i]))
		records += len(logs[0][i])
	}
	if records < 1000 {
		t.Errorf("only %d records were compared", records)
	}
}

// More than the client's queue takes: what did not fit must follow.
func TestSenderWaitsForRoom(t *testing.T) {
	c := start(t)
	eachSender(t, func(t *testing.T, make newSender) {
		out := topic(t, c, strings.ReplaceAll(t.Name(), "/", "-"), 1)
		list := kafka.Records{Topics: []string{out}}
		filler := []byte(strings.Repeat("x", 400_000))
		for range 300 { // 120 MB, twice the queue
			list.Add(0, nil, filler)
		}
		s := sender(t, c, make, kafka.SenderConfig{})
		must(t, s.ProduceAll(&list), s.Flush())
		o, err := admin(t, c).Offsets(t.Context(), out, []int32{0})
		must(t, err)
		if o[0].High != 300 {
			t.Errorf("%d records of 300", o[0].High)
		}
	})
}

// What cannot be acknowledged is never taken for acknowledged.
func TestSenderTellsOfWhatIsLost(t *testing.T) {
	eachSender(t, func(t *testing.T, make newSender) {
		b, err := broker.Start(broker.Config{})
		must(t, err)
		defer b.Close()
		c := kafka.Config{Brokers: b.Addr()}
		out := topic(t, c, "out", 1)
		list := kafka.Records{Topics: []string{out}}
		list.Add(0, nil, []byte("v"))

		missing := sender(t, c, make, kafka.SenderConfig{})
		must(t, missing.ProduceAll(&list), missing.Flush())
		nowhere := list
		nowhere.Partition = 7
		err = missing.ProduceAll(&nowhere)
		if err == nil {
			err = missing.Flush()
		}
		if err == nil || missing.ProduceAll(&list) == nil || missing.Flush() == nil {
			t.Errorf("a partition that is not there: %v, and then nothing", err)
		}

		s := sender(t, c, make, kafka.SenderConfig{Timeout: time.Second})
		must(t, s.ProduceAll(&list), s.Flush())
		b.Close()
		err = s.ProduceAll(&list)
		if err == nil {
			err = s.Flush()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "cannot send") {
			t.Errorf("without a broker: %v", err)
		}
	})
}

// What has no room in the queue waits for it, and says what for when it gives up.
func TestSenderGivesUpWaitingForRoom(t *testing.T) {
	eachSender(t, func(t *testing.T, make newSender) {
		b, err := broker.Start(broker.Config{})
		must(t, err)
		defer b.Close()
		c := kafka.Config{Brokers: b.Addr()}
		list := kafka.Records{Topics: []string{topic(t, c, "out", 1)}}
		s := sender(t, c, make, kafka.SenderConfig{Timeout: 2 * time.Second, Queue: 1 << 20})
		list.Add(0, nil, []byte("v"))
		must(t, s.ProduceAll(&list), s.Flush())
		b.Close()
		for range 12 { // more than the queue, less than its default
			list.Add(0, nil, []byte(strings.Repeat("x", 500_000)))
		}
		began := time.Now()
		err = s.ProduceAll(&list)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot send to topic \"out\"") {
			t.Errorf("without a broker, and without room: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestSenderRefusesTooLarge(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	eachSender(t, func(t *testing.T, make newSender) {
		s := sender(t, c, make, kafka.SenderConfig{})
		list := kafka.Records{Topics: []string{out}}
		list.Add(0, nil, []byte("small"))
		list.Add(0, nil, []byte(strings.Repeat("x", 1_000_000)))
		var tooLarge *kafka.TooLargeError
		if err := s.ProduceAll(&list); !errors.As(err, &tooLarge) {
			t.Errorf("too large: %v", err)
		}
		must(t, s.Flush())
		s.Close()
		if s.Flush() == nil || s.ProduceAll(&kafka.Records{Topics: []string{out}, Entries: []kafka.Entry{{}}}) == nil {
			t.Error("a closed sender sends")
		}
	})
	equal(t, "visible", visible(t, c, out, 0), []string(nil))
}

// A commit by itself carries its metadata, and only a member of the group's
// generation may make it.
func TestCommitWithoutTransaction(t *testing.T) {
	c := start(t)
	in := topic(t, c, "in", 1)
	first := join(t, c, in, "g", "slot-0", nil)
	defer func() { _ = first.Close() }()
	until(t, "an assignment", func() bool { return len(first.owned) == 1 }, first)
	must(t, first.Commit([]kafka.Committed{{Partition: 0, Offset: 5, Metadata: "five"}}, patience))
	got, err := first.Committed([]int32{0}, patience)
	must(t, err)
	equal(t, "committed", got, []kafka.Committed{{Partition: 0, Offset: 5, Metadata: "five"}})

	// The same slot in a second process takes the place of the first.
	second := join(t, c, in, "g", "slot-0", nil)
	defer func() { _ = second.Close() }()
	until(t, "an assignment", func() bool { return len(second.owned) == 1 }, second)
	if err := first.Commit([]kafka.Committed{{Partition: 0, Offset: 9, Metadata: "zombie"}}, time.Second); err == nil {
		t.Error("a member that was replaced has committed")
	}
	must(t, second.Commit([]kafka.Committed{{Partition: 0, Offset: 6, Metadata: "six"}}, patience))
	got, err = second.Committed([]int32{0}, patience)
	must(t, err)
	equal(t, "committed", got, []kafka.Committed{{Partition: 0, Offset: 6, Metadata: "six"}})
}
