package gather_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
	"parallax.example/internal/ledger"
	"parallax.example/internal/parquet"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/gather"
)

const topic = "parallax.events"

var columns = parquet.Schema{
	{Name: lake.ColumnPartition, Kind: parquet.Int32}, {Name: lake.ColumnOffset, Kind: parquet.Int64},
	{Name: lake.ColumnTimestamp, Kind: parquet.Int64}, {Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	{Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true}, {Name: lake.ColumnKey, Kind: parquet.String},
	{Name: lake.ColumnSubject, Kind: parquet.String}, {Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	{Name: lake.ColumnValue, Kind: parquet.Int64},
}

// commit writes events of one hour, a dead letter and two punctuations as the
// next manifest of partition 0.
func commit(t *testing.T, d *lake.Dir, start, end int64, events []compare.Event) {
	t.Helper()
	draft := d.Draft(lake.NewID())
	f, err := draft.Create(lake.HourOf(events[0].Time))
	if err != nil {
		t.Fatal(err)
	}
	w, err := parquet.NewWriter(f, columns, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	batch := parquet.NewBatch(columns)
	m := &lake.Manifest{Version: lake.Version, Topic: topic, TopicID: "id", Partitions: 2, First: 3, Start: start, End: end, Writer: "test", Created: time.Unix(0, 0).UTC()}
	file := lake.File{Rows: int64(len(events)), MinOffset: events[0].Offset, MaxOffset: events[len(events)-1].Offset, MinEventTime: events[0].Time, MaxEventTime: events[0].Time}
	for _, e := range events {
		batch[0].AppendInt64(int64(e.Partition))
		batch[1].AppendInt64(e.Offset)
		batch[2].AppendInt64(0)
		if e.HasID {
			batch[3].AppendString(e.Producer)
			batch[4].AppendUint64(e.Seq)
			m.IDs.Add(lake.HashProducer([]byte(e.Producer)), e.Seq)
		} else {
			batch[3].AppendNull()
			batch[4].AppendNull()
		}
		batch[5].AppendString(e.Key)
		batch[6].AppendString("")
		batch[7].AppendInt64(e.Time)
		batch[8].AppendInt64(e.Value)
		file.MinEventTime, file.MaxEventTime = min(file.MinEventTime, e.Time), max(file.MaxEventTime, e.Time)
	}
	if err := errors.Join(w.Write(batch), w.Close()); err != nil {
		t.Fatal(err)
	}
	file.Size, file.SHA256 = f.Size(), f.SHA256()
	m.Files = []lake.File{file}
	m.DeadLetters = []lake.DeadLetter{{Offset: end - 3, Reason: "empty"}}
	m.Punctuations = []lake.Punctuation{{Offset: end - 2, Sender: "generator"}, {Offset: end - 1, Sender: "stranger"}}
	n := int64(len(events))
	m.Counts = lake.Counts{Records: n + 3, Events: n, DeadLetters: 1, Punctuations: 2}
	if err := draft.Commit(m); err != nil {
		t.Fatal(err)
	}
}

func newLake(t *testing.T) (*lake.Dir, []compare.Event) {
	d, err := lake.Create(filepath.Join(t.TempDir(), "lake"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	events := []compare.Event{
		{Offset: 3, Producer: "gen", Seq: 1, HasID: true, Key: "ATL", Time: 10, Value: -4},
		{Offset: 4, Key: "ORD", Time: 20, Value: 5},
		{Offset: 5, Producer: "gen", Seq: 1<<64 - 1, HasID: true, Key: "ATL", Time: 30, Value: 6},
		{Offset: 20, Producer: "gen", Seq: 1, HasID: true, Key: "ATL", Time: 10, Value: -4},
		{Offset: 21, Producer: "gen", Seq: 7, HasID: true, Key: "ATL", Time: 10, Value: 9},
	}
	commit(t, d, 3, 20, events[:3])
	commit(t, d, 20, 30, events[3:])
	return d, events
}

var rules = &view.Time{Count: 8, Of: 64, Senders: []string{"generator"}}

func TestLake(t *testing.T) {
	d, events := newLake(t)
	whole, err := gather.Lake(t.Context(), d, topic, map[int32]int64{0: 30, 1: 0}, rules)
	if err != nil {
		t.Fatal(err)
	}
	want := &gather.Log{Events: events, TopicID: "id", Ends: map[int32]int64{0: 30}, Dead: []compare.Dead{
		{Offset: 17, Reason: "empty"}, {Offset: 19, Reason: string(event.Unauthorized)},
		{Offset: 27, Reason: "empty"}, {Offset: 29, Reason: string(event.Unauthorized)},
	}, Advances: []compare.Advance{{Offset: 18}, {Offset: 28}}}
	if diff := cmp.Diff(want, whole); diff != "" {
		t.Error(diff)
	}
	part, err := gather.Lake(t.Context(), d, topic, map[int32]int64{0: 21}, rules)
	if err != nil {
		t.Fatal(err)
	}
	if len(part.Events) != 4 || len(part.Dead) != 2 || part.Ends[0] != 21 {
		t.Errorf("below 21: %+v", part)
	}
}

func TestLakeRefuses(t *testing.T) {
	d, _ := newLake(t)
	for _, cut := range []map[int32]int64{{0: 31}, {1: 1}, {7: 1}} {
		var refusal *compare.Refusal
		if _, err := gather.Lake(t.Context(), d, topic, cut, rules); !errors.As(err, &refusal) {
			t.Errorf("cut %v: %v", cut, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(d.Folder(), "events", "*", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := gather.Lake(t.Context(), d, topic, map[int32]int64{0: 30}, rules); err == nil || !strings.Contains(err.Error(), "cannot trust") {
		t.Errorf("a changed file: %v", err)
	}
}

func TestLedgers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "generator.ledger")
	w, err := ledger.Create(path, ledger.Header{Run: "r", Topic: topic, Partitions: 2, Started: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []ledger.Intent{
		{Op: ledger.Event, Partition: 1, Scheduled: 77, Key: []byte("ATL"), Value: []byte("one")},
		{Op: ledger.Duplicate, Partition: 1, Value: []byte("one")},
		{Op: ledger.Poison, Value: []byte("two")},
		{Op: ledger.Punctuation, Value: []byte("three")},
	} {
		if err := w.Intent(&i); err != nil {
			t.Fatal(err)
		}
	}
	w.OK(0, 1, 40, 5)
	w.Failed(1, "time-out")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := gather.Ledgers(topic, []string{path})
	if err != nil {
		t.Fatal(err)
	}
	want := &gather.Sending{First: 77, Last: 77, Entries: []compare.Entry{
		{Kind: compare.Sent, Outcome: compare.OK, Partition: 1, Offset: 40, Value: []byte("one")},
		{Kind: compare.Copied, Outcome: compare.Failed, Partition: 1, Value: []byte("one")},
		{Kind: compare.Spoiled, Value: []byte("two")},
		{Kind: compare.Punctuation, Value: []byte("three")},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var refusal *compare.Refusal
	if _, err := gather.Ledgers("another", []string{path}); !errors.As(err, &refusal) {
		t.Errorf("another topic: %v", err)
	}
}
