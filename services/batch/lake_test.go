package batch_test

import (
	"errors"
	"fmt"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
	"parallax.example/internal/oracle"
	"parallax.example/internal/parquet"
)

const topic = "test.events"

var lakeSchema = parquet.Schema{
	{Name: lake.ColumnPartition, Kind: parquet.Int32},
	{Name: lake.ColumnOffset, Kind: parquet.Int64},
	{Name: lake.ColumnTimestamp, Kind: parquet.Int64},
	{Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	{Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true},
	{Name: lake.ColumnKey, Kind: parquet.String},
	{Name: lake.ColumnSubject, Kind: parquet.String},
	{Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	{Name: lake.ColumnValue, Kind: parquet.Int64},
}

// writeLake writes a log as an ingester would: each partition's records in
// manifests of the given sizes in turn, rows by hour of event time.
func writeLake(t testing.TB, folder string, partitions int, log []oracle.Record, sizes []int, groupRows int) {
	t.Helper()
	dir, err := lake.Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for p := range int32(partitions) {
		var records []oracle.Record
		for _, r := range log {
			if r.Partition == p {
				records = append(records, r)
			}
		}
		first := int64(3) * int64(p)
		start := first
		for n := 0; len(records) > 0; n++ {
			take := min(len(records), sizes[n%len(sizes)])
			end := records[take-1].Offset + 1 + int64(n%2) // as behind a control record
			if take < len(records) {
				end = min(end, records[take].Offset)
			}
			m := &lake.Manifest{
				Version: lake.Version, Topic: topic, TopicID: "a-topic-id", Partitions: int32(partitions), Partition: p,
				First: first, Start: start, End: end, Writer: "test",
				Files: []lake.File{}, DeadLetters: []lake.DeadLetter{}, Punctuations: []lake.Punctuation{},
			}
			writeManifest(t, dir, m, records[:take], groupRows)
			records, start = records[take:], end
		}
	}
}

func writeManifest(t testing.TB, dir *lake.Dir, m *lake.Manifest, records []oracle.Record, groupRows int) {
	t.Helper()
	type hour struct {
		batch []parquet.Vector
		file  lake.File
	}
	hours := map[int64]*hour{}
	for _, r := range records {
		var d event.Record
		m.Counts.Records++
		if err := d.Decode(r.Value); err != nil {
			m.Counts.DeadLetters++
			var refused *event.Invalid
			errors.As(err, &refused)
			m.DeadLetters = append(m.DeadLetters, lake.DeadLetter{Offset: r.Offset, Reason: string(refused.Reason), Size: int64(len(r.Value))})
			continue
		}
		if d.Kind == event.KindPunctuation {
			m.Counts.Punctuations++
			m.Punctuations = append(m.Punctuations, lake.Punctuation{Offset: r.Offset, Sender: string(d.Punctuation.Sender), Watermark: d.Punctuation.Watermark})
			continue
		}
		m.Counts.Events++
		e := &d.Event
		h := hours[lake.HourOf(e.Time)]
		if h == nil {
			h = &hour{batch: parquet.NewBatch(lakeSchema), file: lake.File{MinOffset: r.Offset, MinEventTime: e.Time, MaxEventTime: e.Time}}
			hours[lake.HourOf(e.Time)] = h
		}
		h.file.Rows++
		h.file.MaxOffset = r.Offset
		h.file.MinEventTime, h.file.MaxEventTime = min(h.file.MinEventTime, e.Time), max(h.file.MaxEventTime, e.Time)
		b := h.batch
		b[0].AppendInt64(int64(m.Partition))
		b[1].AppendInt64(r.Offset)
		b[2].AppendInt64(0)
		if e.HasID {
			b[3].AppendBytes(e.Producer)
			b[4].AppendUint64(e.Seq)
			m.IDs.Add(lake.HashProducer(e.Producer), e.Seq)
		} else {
			b[3].AppendNull()
			b[4].AppendNull()
		}
		b[5].AppendBytes(e.Key)
		b[6].AppendBytes(e.Subject)
		b[7].AppendInt64(e.Time)
		b[8].AppendInt64(e.Value)
	}
	order := make([]int64, 0, len(hours))
	for h := range hours {
		order = append(order, h)
	}
	sortInts(order)
	draft := dir.Draft(lake.NewID())
	for _, number := range order {
		h := hours[number]
		f, err := draft.Create(number)
		if err != nil {
			t.Fatal(err)
		}
		w, err := parquet.NewWriter(f, lakeSchema, parquet.Options{GroupRows: groupRows})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(h.batch); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		h.file.Size, h.file.SHA256 = f.Size(), f.SHA256()
		m.Files = append(m.Files, h.file)
	}
	if err := draft.Commit(m); err != nil {
		t.Fatal(fmt.Errorf("manifest %d to %d: %w", m.Start, m.End, err))
	}
}
