package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/parquet"
)

// recorded is the form of a recorded log, which the generator's --log replays:
// every message of the topic as it lies in Kafka.
var recorded = parquet.Schema{
	{Name: "partition", Kind: parquet.Int32},
	{Name: "offset", Kind: parquet.Int64},
	{Name: "timestamp", Kind: parquet.Int64}, // Kafka's, ms since 1970
	{Name: "key", Kind: parquet.Bytes, Optional: true},
	{Name: "value", Kind: parquet.Bytes, Optional: true},
}

// stall bounds the wait for a log that does not go on.
const stall = 10 * time.Second

// record writes the topic up to the cut into a file, which appears whole or not at all.
func record(ctx context.Context, brokers, topic string, cut []int64, path string) error {
	temporary := path + ".tmp"
	f, err := os.Create(temporary)
	if err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
	}
	defer os.Remove(temporary)
	defer f.Close()
	w, err := parquet.NewWriter(f, recorded, parquet.Options{Codec: parquet.Zstd})
	if err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
	}
	rows := parquet.NewBatch(recorded)
	// One partition after the other, so that the same log gives the same file.
	for p, end := range cut {
		from := []kafka.Range{{Topic: topic, Partition: int32(p), From: 0, To: end}}
		err := kafka.ReadTo(ctx, kafka.Config{Brokers: brokers, ClientID: "recorder"}, kafka.ReaderConfig{Keys: true}, from, stall, func(b *kafka.Batch) error {
			parquet.ResetBatch(rows)
			for i := range b.Len() {
				rows[0].AppendInt64(int64(b.Partition))
				rows[1].AppendInt64(b.Offsets[i])
				rows[2].AppendInt64(b.Timestamps[i])
				nullable(&rows[3], b.Key(i)) // clients do not tell an empty key from none
				nullable(&rows[4], b.Value(i))
			}
			return w.Write(rows)
		})
		if err != nil {
			return fmt.Errorf("cannot record the log: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("cannot record the log in %q: %w", filepath.Dir(path), err)
	}
	return nil
}

func nullable(v *parquet.Vector, b []byte) {
	if len(b) == 0 {
		v.AppendNull()
		return
	}
	v.AppendBytes(b)
}
