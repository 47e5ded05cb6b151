package demo

import (
	"context"
	"time"

	"parallax.example/cmd/parallax/recording"
	"parallax.example/internal/kafka"
)

// stall bounds the wait for a log that does not go on.
const stall = 10 * time.Second

// record writes the topic up to the cut into a file, one partition after the
// other, so that the same log gives the same file.
func record(ctx context.Context, brokers, topic string, cut []int64, path string) error {
	return recording.Write(path, func(rows *recording.Rows, flush func() error) error {
		for p, end := range cut {
			from := []kafka.Range{{Topic: topic, Partition: int32(p), From: 0, To: end}}
			err := kafka.ReadTo(ctx, kafka.Config{Brokers: brokers, ClientID: "recorder"}, kafka.ReaderConfig{Keys: true}, from, stall, func(b *kafka.Batch) error {
				for i := range b.Len() {
					rows.Add(recording.Record{Partition: b.Partition, Offset: b.Offsets[i], Timestamp: b.Timestamps[i], Key: b.Key(i), Value: b.Value(i)})
				}
				return flush()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
