package generator

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/ledger"
	"parallax.example/internal/parquet"
)

// recorded is a log that was read back from Kafka: the same bytes go to the
// same partitions in the same order, at the pace at which they were scheduled.
// It ends where the log ends, with the punctuation that the log has or has not.
type recorded struct {
	id      string
	records []record
}

type record struct {
	partition  int32
	op         ledger.Op
	offset     int64
	timestamp  int64 // ms
	due        int64 // µs; never goes back within a partition
	key, value []byte
}

// logColumns are the columns of a recorded log: Kafka's, one row per record.
var logColumns = [...]string{"partition", "offset", "timestamp", "key", "value"}

func newRecorded(file []byte, c *Config) (*recorded, error) {
	f, err := parquet.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	if f.Rows() == 0 {
		return nil, errors.New("it holds no records")
	}
	var columns [len(logColumns)]int
	for i, name := range logColumns {
		if columns[i], err = column(f, i >= 3, name); err != nil {
			return nil, fmt.Errorf("%w; a recorded log has partition, offset, timestamp, key and value", err)
		}
	}
	s := &recorded{}
	for group := range f.Groups() {
		if err := s.group(f, group, columns); err != nil {
			return nil, err
		}
	}
	if err := s.order(c.Partitions); err != nil {
		return nil, err
	}
	if c.Limit > 0 && c.Limit < len(s.records) {
		s.records = s.records[:c.Limit]
	}
	s.classify()
	digest := sha256.Sum256(file)
	s.id = fmt.Sprintf("log sha256=%s records=%d", hex.EncodeToString(digest[:]), len(s.records))
	return s, nil
}

func (s *recorded) name() string { return s.id }

func (s *recorded) len() int { return len(s.records) }

func (s *recorded) due(i int) int64 { return s.records[i].due }

func (s *recorded) message(i int, buf []byte) (message, []byte) {
	r := &s.records[i]
	return message{op: r.op, partition: r.partition, key: r.key, value: r.value}, buf
}

// group appends a row group.
func (s *recorded) group(f *parquet.File, group int, columns [len(logColumns)]int) error {
	first := len(s.records)
	for c, set := range []func(r *record, v int64) bool{
		func(r *record, v int64) bool { r.partition = int32(v); return v == int64(int32(v)) },
		func(r *record, v int64) bool { r.offset = v; return v >= 0 },
		func(r *record, v int64) bool { r.timestamp = v; return v >= 0 && v <= event.MaxWatermark/1000 },
	} {
		scale := int64(1)
		if f.Schema()[columns[c]].Kind == parquet.Timestamp {
			scale = 1000 // µs
		}
		if err := integers(f, group, columns[c], first, func(row int, v int64) error {
			if c == 0 {
				s.records = append(s.records, record{})
			}
			if !set(&s.records[row], v/scale) {
				return fmt.Errorf("row %d has no valid %s", row, logColumns[c])
			}
			return nil
		}); err != nil {
			return err
		}
	}
	page := make([][]byte, chunkRows)
	texts := func(c int, set func(r *record, b []byte)) error {
		return chunks(f, group, columns[c], func(r *parquet.ColumnReader, row, most int) (int, error) {
			n, err := r.Values(page[:most])
			for i, b := range page[:n] {
				set(&s.records[first+row+i], bytes.Clone(b)) // null stays nil
			}
			return n, err
		})
	}
	if err := texts(3, func(r *record, b []byte) { r.key = b }); err != nil {
		return err
	}
	return texts(4, func(r *record, b []byte) { r.value = b })
}

// order merges the partitions by time, each in the order of its offsets, even
// where its timestamps go back.
func (s *recorded) order(partitions int) error {
	slices.SortStableFunc(s.records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for i := range s.records {
		r := &s.records[i]
		if r.partition < 0 || int(r.partition) >= partitions {
			return fmt.Errorf("it has records of partition %d; send them to a topic with more than %d partitions", r.partition, partitions)
		}
		r.due = r.timestamp * 1000
		if i == 0 || s.records[i-1].partition != r.partition {
			continue
		}
		before := &s.records[i-1]
		if before.offset == r.offset {
			return fmt.Errorf("partition %d has offset %d twice", r.partition, r.offset)
		}
		r.due = max(r.due, before.due)
	}
	slices.SortStableFunc(s.records, func(a, b record) int { return cmp.Compare(a.due, b.due) })
	return nil
}

// classify finds out what each record is, for the ledger.
func (s *recorded) classify() {
	type id struct {
		partition int32
		producer  string
		seq       uint64
	}
	seen := map[id]bool{}
	producers := map[string]string{} // one copy of each name
	var r event.Record
	for i := range s.records {
		rec := &s.records[i]
		if err := r.Decode(rec.value); err != nil {
			rec.op = ledger.Poison
			continue
		}
		if r.Kind == event.KindPunctuation {
			rec.op = ledger.Punctuation
			continue
		}
		rec.op = ledger.Event
		if !r.Event.HasID {
			continue
		}
		name, ok := producers[string(r.Event.Producer)]
		if !ok {
			name = string(r.Event.Producer)
			producers[name] = name
		}
		key := id{rec.partition, name, r.Event.Seq}
		if seen[key] {
			rec.op = ledger.Duplicate
		}
		seen[key] = true
	}
}
