package task

import (
	"testing"
	"time"

	"parallax.example/internal/kafka"
)

// What asking again cannot change is told at once.
func TestCommittedEndsAtALastingError(t *testing.T) {
	consumer, err := kafka.NewConsumer(kafka.Config{Brokers: "127.0.0.1:1"}, kafka.GroupConfig{Group: "g", Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	_ = consumer.Close() // refuses everything from now on
	l := &Loop{ctx: t.Context(), consumer: consumer, config: Config{TransactionTimeout: time.Second}}
	began := time.Now()
	if _, err := l.committed([]int32{0}); err == nil {
		t.Error("no error")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("tried for %s", took)
	}
}

// The memory for output does not grow with the partitions, until each has the least.
func TestQueueIsShared(t *testing.T) {
	for partitions, want := range map[int]int{1: 64 << 20, 4: 16 << 20, 32: 2 << 20, 1000: 2 << 20} {
		if got := queue(partitions); got != want {
			t.Errorf("%d partitions: %d bytes, want %d", partitions, got, want)
		}
	}
}
