// Package recording writes recorded logs: files with every message of a topic
// as it lies in Kafka, which the generator replays byte for byte with --log.
//
// It may be trusted for the form, not for the content: it writes what it is given.
package recording

import (
	"fmt"
	"os"
	"path/filepath"

	"parallax.example/internal/parquet"
)

var schema = parquet.Schema{
	{Name: "partition", Kind: parquet.Int32},
	{Name: "offset", Kind: parquet.Int64},
	{Name: "timestamp", Kind: parquet.Int64}, // Kafka's, ms since 1970
	{Name: "key", Kind: parquet.Bytes, Optional: true},
	{Name: "value", Kind: parquet.Bytes, Optional: true},
}

// Record is one message.
type Record struct {
	Partition  int32
	Offset     int64
	Timestamp  int64  // ms since 1970
	Key, Value []byte // empty is null: clients do not tell an empty key from none
}

// Rows takes the messages that are to be written together.
type Rows struct{ batch []parquet.Vector }

// Add appends one message, whose bytes it copies.
func (r *Rows) Add(m Record) {
	r.batch[0].AppendInt64(int64(m.Partition))
	r.batch[1].AppendInt64(m.Offset)
	r.batch[2].AppendInt64(m.Timestamp)
	nullable(&r.batch[3], m.Key)
	nullable(&r.batch[4], m.Value)
}

// Write makes the file, which appears whole or not at all. fill calls flush
// whenever it has added a good number of rows; the last ones need none.
func Write(path string, fill func(rows *Rows, flush func() error) error) error {
	temporary := path + ".tmp"
	f, err := os.Create(temporary)
	if err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
	}
	defer os.Remove(temporary)
	defer f.Close()
	w, err := parquet.NewWriter(f, schema, parquet.Options{Codec: parquet.Zstd})
	if err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
	}
	rows := &Rows{parquet.NewBatch(schema)}
	flush := func() error {
		if err := w.Write(rows.batch); err != nil {
			return err
		}
		parquet.ResetBatch(rows.batch)
		return nil
	}
	if err := fill(rows, flush); err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
	}
	if err := flush(); err != nil {
		return fmt.Errorf("cannot record the log: %w", err)
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
