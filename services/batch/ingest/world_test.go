package ingest_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
	"parallax.example/services/batch/ingest"
)

const (
	partitions = 3
	patience   = 30 * time.Second
)

// world is a broker with the events topic, and a folder for the lake.
type world struct {
	t      testing.TB
	client kafka.Config
	topic  string
	folder string
	admin  *kafka.Admin
}

func newWorld(t testing.TB) *world {
	t.Helper()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	w := &world{t: t, client: kafka.Config{Brokers: b.Addr(), ClientID: "test"}, folder: t.TempDir()}
	if w.admin, err = kafka.NewAdmin(w.client); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.admin.Close)
	topics := kafka.NewTopics("parallax")
	w.topic = topics.Events
	if err := w.admin.EnsureTopics(t.Context(), topics.Specs(partitions, 1)); err != nil {
		t.Fatal(err)
	}
	return w
}

// config is the default one with short ranges.
func (w *world) config(group string) ingest.Config {
	return ingest.Config{Brokers: w.client.Brokers, TopicPrefix: "parallax", Lake: w.folder, Group: group, Rows: 50, Bytes: 1 << 20, Span: time.Hour, Session: 45 * time.Second}
}

func (w *world) ingester(c ingest.Config) *ingest.Ingester {
	w.t.Helper()
	deps := ingest.Deps{}
	if os.Getenv("INGEST_TEST_LOG") != "" {
		deps.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	g, err := ingest.New(c, deps)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// toEnd ingests what the topic holds.
func (w *world) toEnd(c ingest.Config) *ingest.Ingester {
	w.t.Helper()
	c.ToEnd = true
	g := w.ingester(c)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := g.Run(ctx); err != nil {
		w.t.Fatal(err)
	}
	if ctx.Err() != nil {
		w.t.Fatalf("the ingest did not reach the end within %s", patience)
	}
	return g
}

// send writes values, record i to partition i modulo 3, at second i.
func (w *world) send(values ...[]byte) {
	w.t.Helper()
	var failed error
	p, err := kafka.NewProducer(w.client, kafka.ProducerConfig{OnDelivery: func(d kafka.Delivery) { failed = errors.Join(failed, d.Err) }})
	if err != nil {
		w.t.Fatal(err)
	}
	for i, v := range values {
		r := kafka.Record{Topic: w.topic, Partition: int32(i % partitions), Timestamp: 1_700_000_000_000 + int64(i)*1000, Value: v}
		if err := p.Produce(w.t.Context(), r, uint64(i)); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := p.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	p.Close()
	if failed != nil {
		w.t.Fatal(failed)
	}
}

// transaction writes values to partition 0 in one transaction.
func (w *world) transaction(commit bool, values ...[]byte) {
	w.t.Helper()
	p, err := kafka.NewTxn(w.client, kafka.TxnConfig{ID: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	defer p.Close()
	high := func() int64 {
		log, err := w.admin.Offsets(w.t.Context(), w.topic, []int32{0})
		if err != nil {
			w.t.Fatal(err)
		}
		return log[0].High
	}
	before := high()
	err = errors.Join(p.Init(w.t.Context()), p.Begin())
	for _, v := range values {
		err = errors.Join(err, p.Produce(kafka.Record{Topic: w.topic, Value: v}))
	}
	// The broker has the records before they are taken back.
	wait(w.t, func() bool { return high() == before+int64(len(values)) })
	if commit {
		err = errors.Join(err, p.Commit())
	} else {
		err = errors.Join(err, p.Abort())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// ends are the offsets that readers of committed records can come to.
func (w *world) ends() []int64 {
	w.t.Helper()
	log, err := w.admin.Offsets(w.t.Context(), w.topic, []int32{0, 1, 2})
	if err != nil {
		w.t.Fatal(err)
	}
	cut := make([]int64, partitions)
	for i := range cut {
		cut[i] = log[i].Stable
	}
	return cut
}

// content is what a log or a lake holds, each record once.
type content struct {
	Rows         []row
	DeadLetters  []place
	Punctuations []place
}

type row struct {
	Partition, Offset, Timestamp int64
	Producer                     string
	Seq                          uint64
	HasID                        bool
	Key, Subject                 string
	EventTime, Value             int64
}

type place struct {
	Partition int32
	Offset    int64
	What      string
}

func (c *content) sort() {
	slices.SortStableFunc(c.Rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for _, list := range [][]place{c.DeadLetters, c.Punctuations} {
		slices.SortStableFunc(list, func(a, b place) int {
			return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
		})
	}
}

// log reads the topic by another way than the ingester.
func (w *world) log() content {
	w.t.Helper()
	var c content
	var ranges []kafka.Range
	for p, end := range w.ends() {
		ranges = append(ranges, kafka.Range{Topic: w.topic, Partition: int32(p), From: kafka.Earliest, To: end})
	}
	err := kafka.ReadTo(w.t.Context(), w.client, kafka.ReaderConfig{}, ranges, patience, func(b *kafka.Batch) error {
		for i, offset := range b.Offsets {
			var r event.Record
			var invalid *event.Invalid
			switch err := r.Decode(b.Value(i)); {
			case errors.As(err, &invalid):
				c.DeadLetters = append(c.DeadLetters, place{b.Partition, offset, fmt.Sprintf("%s: %s (%d)", invalid.Reason, invalid.Detail, len(b.Value(i)))})
			case r.Kind == event.KindPunctuation:
				c.Punctuations = append(c.Punctuations, place{b.Partition, offset, fmt.Sprintf("%s %d", r.Punctuation.Sender, r.Punctuation.Watermark)})
			default:
				e := r.Event
				c.Rows = append(c.Rows, row{int64(b.Partition), offset, b.Timestamps[i], string(e.Producer), e.Seq, e.HasID, string(e.Key), string(e.Subject), e.Time, e.Value})
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	c.sort()
	return c
}

// lake reads all manifests and all files, and checks each file on the way.
func (w *world) lake() content {
	w.t.Helper()
	d, err := lake.Open(w.folder)
	if err != nil {
		w.t.Fatal(err)
	}
	defer d.Close()
	chains, err := d.Chains(w.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	var c content
	for _, chain := range chains {
		for _, m := range chain.Manifests {
			if err := d.Verify(w.t.Context(), m); err != nil {
				w.t.Error(err)
			}
			var ids lake.Digest
			for i := range m.Files {
				rows := w.file(d, &m.Files[i])
				for _, r := range rows {
					if r.HasID {
						ids.Add(lake.HashProducer([]byte(r.Producer)), r.Seq)
					}
				}
				c.Rows = append(c.Rows, rows...)
			}
			if ids != m.IDs {
				w.t.Errorf("the ids of the rows from offset %d give %+v, the manifest says %+v", m.Start, ids, m.IDs)
			}
			for _, l := range m.DeadLetters {
				c.DeadLetters = append(c.DeadLetters, place{m.Partition, l.Offset, fmt.Sprintf("%s: %s (%d)", l.Reason, l.Detail, l.Size)})
			}
			for _, p := range m.Punctuations {
				c.Punctuations = append(c.Punctuations, place{m.Partition, p.Offset, fmt.Sprintf("%s %d", p.Sender, p.Watermark)})
			}
		}
	}
	c.sort()
	return c
}

// file reads one file's rows and checks them against what the manifest says.
func (w *world) file(d *lake.Dir, want *lake.File) []row {
	w.t.Helper()
	osFile, err := d.OpenFile(want)
	if err != nil {
		w.t.Fatal(err)
	}
	defer osFile.Close()
	f, err := parquet.Open(osFile, want.Size)
	if err != nil {
		w.t.Fatal(err)
	}
	rows := make([]row, f.Rows())
	ints := func(name string, set func(r *row, v int64, valid bool)) {
		column(w.t, f, name, func(c *parquet.ColumnReader, at int) (int, error) {
			var dst [7]int64
			var valid [7]bool
			mask := valid[:]
			if !f.Schema()[f.Schema().Index(name)].Optional {
				mask, valid = nil, [7]bool{true, true, true, true, true, true, true}
			}
			n, err := c.Int64(dst[:], mask)
			for i := range n {
				set(&rows[at+i], dst[i], valid[i])
			}
			return n, err
		})
	}
	texts := func(name string, set func(r *row, s string, valid bool)) {
		column(w.t, f, name, func(c *parquet.ColumnReader, at int) (int, error) {
			var dst [7]int32
			n, err := c.Codes(dst[:])
			for i, code := range dst[:n] {
				if code < 0 {
					set(&rows[at+i], "", false)
				} else {
					set(&rows[at+i], string(c.Dict().Value(code)), true)
				}
			}
			return n, err
		})
	}
	ints(lake.ColumnPartition, func(r *row, v int64, _ bool) { r.Partition = v })
	ints(lake.ColumnOffset, func(r *row, v int64, _ bool) { r.Offset = v })
	ints(lake.ColumnTimestamp, func(r *row, v int64, _ bool) { r.Timestamp = v })
	ints(lake.ColumnSeq, func(r *row, v int64, valid bool) { r.Seq, r.HasID = uint64(v), valid })
	ints(lake.ColumnEventTime, func(r *row, v int64, _ bool) { r.EventTime = v })
	ints(lake.ColumnValue, func(r *row, v int64, _ bool) { r.Value = v })
	texts(lake.ColumnProducer, func(r *row, s string, valid bool) {
		if r.Producer = s; valid != r.HasID {
			w.t.Errorf("offset %d has one half of an id", r.Offset)
		}
	})
	texts(lake.ColumnKey, func(r *row, s string, _ bool) { r.Key = s })
	texts(lake.ColumnSubject, func(r *row, s string, _ bool) { r.Subject = s })

	got := *want
	got.Rows, got.MinOffset, got.MaxOffset = int64(len(rows)), rows[0].Offset, rows[len(rows)-1].Offset
	got.MinEventTime, got.MaxEventTime = rows[0].EventTime, rows[0].EventTime
	for i, r := range rows {
		got.MinEventTime, got.MaxEventTime = min(got.MinEventTime, r.EventTime), max(got.MaxEventTime, r.EventTime)
		if i > 0 && r.Offset <= rows[i-1].Offset {
			w.t.Errorf("%s: offset %d follows %d", want.Path, r.Offset, rows[i-1].Offset)
		}
	}
	if got != *want {
		w.t.Errorf("the file holds %+v, the manifest says %+v", got, *want)
	}
	return rows
}

// column calls read until the end of each row group's column.
func column(t testing.TB, f *parquet.File, name string, read func(c *parquet.ColumnReader, at int) (int, error)) {
	t.Helper()
	var c parquet.ColumnReader
	at := 0
	for group := range f.Groups() {
		if err := c.Open(f, group, f.Schema().Index(name)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := read(&c, at)
			at += n
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if int64(at) != f.Rows() {
		t.Fatalf("column %q has %d rows of %d", name, at, f.Rows())
	}
}
