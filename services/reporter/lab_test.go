package reporter_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"parallax.example/internal/answer"
	"parallax.example/internal/broker"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/internal/ledger"
	"parallax.example/internal/oracle"
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter"
)

const questions = `
time: {believed: {count: 2, of: 4}, punctuation: [generator]}
views:
  - {name: hourly, window: {tumbling: 1h}, lateness: 10m}
`

const (
	partitions = 2
	minute     = int64(60e6)
	group      = "test-processor"
)

// lab is a run whose every part but the reporter is played by the oracle.
type lab struct {
	t      *testing.T
	folder string
	kafka  kafka.Config
	topics kafka.Topics
	views  *view.File
	log    []oracle.Record
	ends   [partitions]int64
	stream *oracle.Answer
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// newLab starts a broker and sends n events, with the ledger, the lake and the
// batch's answer.
func newLab(t *testing.T, n int) *lab {
	b, err := broker.Start(broker.Config{Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(b.Close)
	l := &lab{t: t, folder: t.TempDir(), kafka: kafka.Config{Brokers: b.Addr()}, topics: kafka.NewTopics("test")}
	must(t, os.WriteFile(l.path("views.yaml"), []byte(questions), 0o644))
	l.views, err = view.Parse("views.yaml", []byte(questions))
	must(t, err)
	admin, err := kafka.NewAdmin(l.kafka)
	must(t, err)
	defer admin.Close()
	must(t, admin.EnsureTopics(t.Context(), l.topics.Specs(partitions, 1)))
	l.generate(n)
	l.stream = oracle.Stream(l.views, l.log)
	l.lake()
	l.batch()
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.folder, name) }

func (l *lab) generate(n int) {
	w, err := ledger.Create(l.path("generator.ledger"), ledger.Header{Run: "lab", Topic: l.topics.Events, Partitions: partitions})
	must(l.t, err)
	p, err := kafka.NewProducer(l.kafka, kafka.ProducerConfig{OnDelivery: func(d kafka.Delivery) {
		if d.Err != nil {
			l.t.Error(d.Err)
		}
		w.OK(d.Number, d.Partition, d.Offset, d.Timestamp)
	}})
	must(l.t, err)
	defer p.Close()
	send := func(partition int32, op ledger.Op, value []byte) {
		i := ledger.Intent{Op: op, Partition: partition, Scheduled: time.Now().UnixMilli(), Value: value}
		must(l.t, w.Intent(&i), w.Sync())
		must(l.t, p.Produce(l.t.Context(), kafka.Record{Topic: l.topics.Events, Partition: partition, Timestamp: i.Scheduled, Value: value}, i.N))
		l.log = append(l.log, oracle.Record{Partition: partition, Offset: l.ends[partition], Value: value})
		l.ends[partition]++
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		k := r.IntN(4)
		e := event.Event{Producer: []byte("gen"), Seq: uint64(i), HasID: true, Key: fmt.Appendf(nil, "key-%d", k), Value: r.Int64N(100),
			Time: (1000 + 10*int64(i)) * minute}
		if i%7 == 6 { // late
			e.Time, e.Value = e.Time-300*minute, e.Value+500
		}
		b := event.AppendProto(nil, &e)
		send(int32(k%partitions), ledger.Event, b)
		if i%10 == 9 {
			send(int32(k%partitions), ledger.Duplicate, b)
		}
	}
	send(0, ledger.Poison, []byte("no event"))
	for i := range int32(partitions) {
		send(i, ledger.Punctuation, event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark}))
	}
	must(l.t, p.Flush(l.t.Context()), w.Close())
}

// process writes what the stream says, all in one transaction.
func (l *lab) process(change func(*result.Result)) {
	assigned := false
	m, err := kafka.NewConsumer(l.kafka, kafka.GroupConfig{Group: group, Topic: l.topics.Events, Instance: "one", SessionTimeout: 6 * time.Second,
		OnAssigned: func(p []int32) ([]int64, error) { assigned = len(p) > 0; return make([]int64, len(p)), nil },
		OnRevoked:  func([]int32, bool) {}})
	must(l.t, err)
	defer m.Close()
	for deadline := time.Now().Add(20 * time.Second); !assigned; {
		_, err := m.Poll(50 * time.Millisecond)
		must(l.t, err)
		if time.Now().After(deadline) {
			l.t.Fatal("no partition was assigned")
		}
	}
	x, err := kafka.NewTxn(l.kafka, kafka.TxnConfig{ID: "test"})
	must(l.t, err)
	defer x.Close()
	must(l.t, x.Init(l.t.Context()), x.Begin())
	place := result.Place{Scheduled: time.Now().UnixMilli() - 5, Transaction: 1}
	produce := func(topic string, partition int32, value []byte) {
		must(l.t, x.Produce(kafka.Record{Topic: topic, Partition: partition, Value: value}))
		place.Ordinal++
	}
	for _, c := range slices.SortedFunc(maps.Keys(l.stream.Rows), result.Cell.Compare) {
		place.Partition, place.Offset = c.Partition, l.stream.ClosedAt[c]
		r := result.Result{Place: place, View: []byte(c.View), Stage: result.Final, Watermark: event.MaxWatermark,
			Span: c.Span, Key: []byte(c.Key), Agg: l.stream.Rows[c]}
		if change != nil {
			change(&r)
		}
		produce(l.topics.Results, c.Partition, r.Append(nil))
	}
	for _, e := range l.stream.Excluded {
		place.Partition, place.Offset = e.Partition, e.Offset
		x := result.Exclusion{Place: place, Cause: e.Cause, View: []byte(e.View), Span: e.Span, Watermark: e.Watermark, Event: l.value(e.Partition, e.Offset)}
		produce(l.topics.Excluded, e.Partition, x.Append(nil))
	}
	for _, d := range l.stream.Dead {
		place.Partition, place.Offset = d.Partition, d.Offset
		x := result.DeadLetter{Place: place, Topic: l.topics.Events, Reason: string(d.Reason)}
		produce(l.topics.DeadLetters, d.Partition, x.Append(nil))
	}
	member, err := m.Metadata()
	must(l.t, err)
	var positions []kafka.Committed
	for p, end := range l.ends {
		positions = append(positions, kafka.Committed{Partition: int32(p), Offset: end})
	}
	must(l.t, x.SendOffsets(l.topics.Events, positions, member), x.Commit())
}

func (l *lab) value(partition int32, offset int64) []byte {
	i := slices.IndexFunc(l.log, func(r oracle.Record) bool { return r.Partition == partition && r.Offset == offset })
	return l.log[i].Value
}

var columns = parquet.Schema{
	{Name: lake.ColumnPartition, Kind: parquet.Int32}, {Name: lake.ColumnOffset, Kind: parquet.Int64},
	{Name: lake.ColumnTimestamp, Kind: parquet.Int64}, {Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	{Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true}, {Name: lake.ColumnKey, Kind: parquet.String},
	{Name: lake.ColumnSubject, Kind: parquet.String}, {Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	{Name: lake.ColumnValue, Kind: parquet.Int64},
}

// lake writes one manifest per partition.
func (l *lab) lake() {
	d, err := lake.Create(l.path("lake"))
	must(l.t, err)
	defer func() { _ = d.Close() }()
	for p := range int32(partitions) {
		m := &lake.Manifest{Version: lake.Version, Topic: l.topics.Events, TopicID: "id", Partitions: partitions, Partition: p, End: l.ends[p],
			Files: []lake.File{}, DeadLetters: []lake.DeadLetter{}, Punctuations: []lake.Punctuation{}, Writer: "test", Created: time.Unix(0, 0).UTC()}
		draft := d.Draft(lake.NewID())
		hours := map[int64][]int{}
		var records []event.Record
		for i, rec := range l.log {
			var r event.Record
			var invalid *event.Invalid
			bad := errors.As(r.Decode(rec.Value), &invalid)
			records = append(records, r)
			if rec.Partition != p {
				continue
			}
			m.Counts.Records++
			switch {
			case bad:
				m.DeadLetters = append(m.DeadLetters, lake.DeadLetter{Offset: rec.Offset, Reason: string(invalid.Reason)})
				m.Counts.DeadLetters++
			case r.Kind == event.KindPunctuation:
				m.Punctuations = append(m.Punctuations, lake.Punctuation{Offset: rec.Offset, Sender: "generator", Watermark: r.Punctuation.Watermark})
				m.Counts.Punctuations++
			default:
				m.Counts.Events++
				m.IDs.Add(lake.HashProducer(r.Event.Producer), r.Event.Seq)
				hours[lake.HourOf(r.Event.Time)] = append(hours[lake.HourOf(r.Event.Time)], i)
			}
		}
		for _, hour := range slices.Sorted(maps.Keys(hours)) {
			f, err := draft.Create(hour)
			must(l.t, err)
			w, err := parquet.NewWriter(f, columns, parquet.Options{})
			must(l.t, err)
			list := hours[hour]
			file := lake.File{Rows: int64(len(list)), MinOffset: l.log[list[0]].Offset, MaxOffset: l.log[list[len(list)-1]].Offset,
				MinEventTime: records[list[0]].Event.Time, MaxEventTime: records[list[0]].Event.Time}
			batch := parquet.NewBatch(columns)
			for _, i := range list {
				e := &records[i].Event
				batch[0].AppendInt64(int64(p))
				batch[1].AppendInt64(l.log[i].Offset)
				batch[2].AppendInt64(0)
				batch[3].AppendBytes(e.Producer)
				batch[4].AppendUint64(e.Seq)
				batch[5].AppendBytes(e.Key)
				batch[6].AppendBytes(e.Subject)
				batch[7].AppendInt64(e.Time)
				batch[8].AppendInt64(e.Value)
				file.MinEventTime, file.MaxEventTime = min(file.MinEventTime, e.Time), max(file.MaxEventTime, e.Time)
			}
			must(l.t, w.Write(batch), w.Close())
			file.Size, file.SHA256 = f.Size(), f.SHA256()
			m.Files = append(m.Files, file)
		}
		must(l.t, draft.Commit(m))
	}
}

// batch writes a finished job.
func (l *lab) batch() {
	all := oracle.All(l.views, l.log)
	s := answer.Success{Version: answer.Version, Job: "job", Topic: l.topics.Events, TopicID: "id"}
	for i := range l.views.Views {
		s.Views = append(s.Views, answer.View{Name: l.views.Views[i].Name, ID: l.views.Views[i].ID()})
	}
	for p, end := range l.ends {
		n := l.stream.Counts[int32(p)]
		s.Partitions = append(s.Partitions, answer.Partition{Partition: int32(p), Cut: end, Records: int64(n.Records),
			Events: int64(n.Valid + n.Duplicate + n.Stale), Valid: int64(n.Valid), Duplicates: int64(n.Duplicate), Stale: int64(n.Stale),
			DeadLetters: int64(n.DeadLetters), Punctuations: int64(n.Punctuation), Watermark: &n.Watermark})
	}
	file := func(name string, write func(f *os.File) int64) {
		must(l.t, os.MkdirAll(filepath.Dir(l.path("batch/"+name)), 0o755))
		f, err := os.Create(l.path("batch/" + name))
		must(l.t, err)
		rows := write(f)
		must(l.t, f.Close())
		b, err := os.ReadFile(f.Name())
		must(l.t, err)
		sum := sha256.Sum256(b)
		s.Files = append(s.Files, answer.File{Path: name, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:]), Rows: rows})
	}
	file("judgements/all.parquet", func(f *os.File) int64 {
		w, err := answer.NewJudgementWriter(f)
		must(l.t, err)
		for _, x := range l.stream.Excluded {
			must(l.t, w.Write(&answer.Judgement{Partition: x.Partition, Offset: x.Offset, CauseA: x.Cause, HasID: true, Producer: "gen",
				Cell: result.Cell{View: x.View, Span: x.Span, Partition: x.Partition, Key: "k"}}))
		}
		n, err := w.Close()
		must(l.t, err)
		return n
	})
	file("rows/all.parquet", func(f *os.File) int64 {
		w, err := answer.NewRowWriter(f)
		must(l.t, err)
		for reading, a := range map[answer.Reading]*oracle.Answer{answer.A: l.stream, answer.B: all} {
			for _, c := range slices.SortedFunc(maps.Keys(a.Rows), result.Cell.Compare) {
				must(l.t, w.Write(&answer.Row{Reading: reading, Cell: c, Agg: a.Rows[c], Closed: true}))
			}
		}
		n, err := w.Close()
		must(l.t, err)
		return n
	})
	b, err := json.Marshal(s)
	must(l.t, err, os.WriteFile(l.path("batch/"+answer.SuccessName), b, 0o644))
}

func (l *lab) reporter(summary *os.File) *reporter.Reporter {
	r, err := reporter.New(reporter.Config{
		Brokers: l.kafka.Brokers, TopicPrefix: "test", Group: group, Views: l.path("views.yaml"), Ledger: []string{l.path("generator.ledger")},
		Lake: l.path("lake"), Batch: l.path("batch"), Out: l.path("out"), RunID: "lab", Noun: "event", Nouns: "events", KeyNoun: "key", Stall: 3 * time.Second,
	}, reporter.Deps{Log: slog.New(slog.DiscardHandler), Summary: summary, Now: time.Now})
	must(l.t, err)
	return r
}
