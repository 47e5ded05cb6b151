package torture

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parallax.example/cmd/parallax/torture/check"
	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/internal/ledger"
	"parallax.example/internal/oracle"
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/gather"
	"parallax.example/services/reporter/report"
)

// good is the evidence of a run in which all went well, made without Kafka: the
// load, answered by the engine in transactions of some dozens of records.
func good(t *testing.T) *check.Evidence {
	t.Helper()
	f, err := view.Parse("views.yaml", []byte(views))
	if err != nil {
		t.Fatal(err)
	}
	topics := kafka.NewTopics("t")
	e := &check.Evidence{Views: f, Topics: topics, Bound: time.Minute, Fault: check.Fault{Name: "test", Wants: 1, Fired: 1, Recoveries: []time.Duration{time.Second}}}
	e.Events.Name, e.Results.Name, e.Excluded.Name, e.DeadLetters.Name, e.Changelog.Name = topics.Events, topics.Results, topics.Excluded, topics.DeadLetters, topics.Changelog
	l := newLoad(1)
	const n = 2000
	logs := make([][]check.Record, partitions)
	add := func(p int32, op ledger.Op, key, value []byte) {
		r := check.Record{Partition: p, Offset: int64(len(logs[p])), Key: key, Value: value}
		logs[p] = append(logs[p], r)
		e.Ledger = append(e.Ledger, check.Message{
			Intent:  ledger.Intent{N: uint64(len(e.Ledger)), Op: op, Partition: p, Key: key, Value: value},
			Outcome: ledger.Outcome{Status: ledger.OK, Partition: p, Offset: r.Offset},
		})
	}
	for i := range n {
		key, value := l.message(i, n)
		add(kafka.Partition(key, partitions), ledger.Event, key, value)
	}
	for p := range int32(partitions - 1) {
		add(p, ledger.Punctuation, nil, event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark - int64(p)}))
	}
	for p := range partitions {
		e.Events.Records = append(e.Events.Records, logs[p]...)
		answerPartition(t, e, int32(p), logs[p])
	}
	for _, topic := range topicsOf(e) {
		for p := range int32(partitions) {
			end := int64(0)
			for _, r := range topic.Records {
				if r.Partition == p {
					end = r.Offset + 1
				}
			}
			topic.Ends = append(topic.Ends, kafka.Offsets{Partition: p, Stable: end, High: end})
		}
		topic.Live = slices.Clone(topic.Records)
	}
	batchOf(e)
	lakeOf(t, e, logs)
	return e
}

func topicsOf(e *check.Evidence) []*check.Topic {
	return []*check.Topic{&e.Events, &e.Results, &e.Excluded, &e.DeadLetters, &e.Changelog}
}

// answerPartition does what a processor does with a partition.
func answerPartition(t *testing.T, e *check.Evidence, p int32, log []check.Record) {
	t.Helper()
	g := engine.New(e.Views, e.Topics.Events, p)
	g.SetSource("id", partitions)
	var out engine.Output
	var written uint32
	for len(log) > 0 {
		b := &engine.Batch{}
		for _, r := range log[:min(len(log), 64)] {
			b.Offsets, b.Timestamps = append(b.Offsets, r.Offset), append(b.Timestamps, 0)
			b.Data = append(b.Data, r.Value...)
			b.Ends = append(b.Ends, len(b.Data))
		}
		log = log[len(b.Offsets):]
		if err := g.Apply(b, &out); err != nil {
			t.Fatal(err)
		}
		g.Flush(&out)
		g.Commit()
		for i := range out.Len() {
			topic, key, value := out.At(i)
			to := topicsOf(e)[1+topic]
			offset := int64(0)
			if n := len(to.Records); n > 0 && to.Records[n-1].Partition == p {
				offset = to.Records[n-1].Offset + 1
			}
			to.Records = append(to.Records, check.Record{Partition: p, Offset: offset, Key: bytes.Clone(key), Value: bytes.Clone(value)})
		}
		written = uint32(out.Len())
		out.Reset()
	}
	m := []byte{2, result.Version}
	m = binary.BigEndian.AppendUint64(m, g.Transaction())
	m = binary.BigEndian.AppendUint64(m, uint64(g.Stats().Watermark))
	m = binary.BigEndian.AppendUint32(m, written)
	m = append(binary.BigEndian.AppendUint32(m, 0), "id"...)
	e.Group = append(e.Group, check.Position{Offset: g.Next(), Metadata: base64.StdEncoding.EncodeToString(m)})
}

func recordsOf(e *check.Evidence) (list []oracle.Record) {
	for _, r := range e.Events.Records {
		list = append(list, oracle.Record{Partition: r.Partition, Offset: r.Offset, Value: r.Value})
	}
	return list
}

func batchOf(e *check.Evidence) {
	e.Batch = &gather.Answer{Batch: compare.Batch{A: map[result.Cell]compare.Row{}, B: map[result.Cell]compare.Row{}}}
	fill := func(rows map[result.Cell]compare.Row, a *oracle.Answer) {
		for c, agg := range a.Rows {
			rows[c] = compare.Row{Agg: agg, Closed: true}
		}
		for c, agg := range a.Open {
			rows[c] = compare.Row{Agg: agg}
		}
	}
	a := oracle.Stream(e.Views, recordsOf(e))
	fill(e.Batch.Batch.A, a)
	fill(e.Batch.Batch.B, oracle.All(e.Views, recordsOf(e)))
	for _, x := range a.Excluded {
		e.Batch.Batch.Judgements = append(e.Batch.Batch.Judgements, compare.Judgement{Partition: x.Partition, Offset: x.Offset, Cause: x.Cause, View: x.View, Span: x.Span})
	}
	for _, o := range e.Events.Ends {
		e.Batch.Cut = append(e.Batch.Cut, report.Partition{Partition: o.Partition, End: o.High})
	}
}

var columns = parquet.Schema{
	{Name: lake.ColumnPartition, Kind: parquet.Int32}, {Name: lake.ColumnOffset, Kind: parquet.Int64},
	{Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	{Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true}, {Name: lake.ColumnKey, Kind: parquet.String},
	{Name: lake.ColumnSubject, Kind: parquet.String}, {Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	{Name: lake.ColumnValue, Kind: parquet.Int64},
}

// lakeOf writes two manifests for each partition, with a file each.
func lakeOf(t *testing.T, e *check.Evidence, logs [][]check.Record) {
	t.Helper()
	e.Lake = t.TempDir()
	for p, log := range logs {
		folder := filepath.Join(e.Lake, "manifests", e.Topics.Events, fmt.Sprint(p))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		half := len(log) / 2
		manifest(t, e.Lake, folder, p, log[:half])
		manifest(t, e.Lake, folder, p, log[half:])
	}
}

func manifest(t *testing.T, dir, folder string, p int, log []check.Record) {
	t.Helper()
	type listed struct {
		Offset    int64  `json:"offset"`
		Watermark int64  `json:"watermark"`
		Reason    string `json:"reason"`
	}
	var dead, punctuations []listed
	rows := parquet.NewBatch(columns)
	n := 0
	for _, r := range log {
		var record event.Record
		switch err := record.Decode(r.Value); {
		case err != nil:
			dead = append(dead, listed{Offset: r.Offset, Reason: err.Error()})
		case record.Kind == event.KindPunctuation:
			punctuations = append(punctuations, listed{Offset: r.Offset, Watermark: record.Punctuation.Watermark})
		default:
			n++
			x := &record.Event
			rows[0].AppendInt64(int64(p))
			rows[1].AppendInt64(r.Offset)
			if x.HasID {
				rows[2].AppendBytes(x.Producer)
				rows[3].AppendInt64(int64(x.Seq))
			} else {
				rows[2].AppendNull()
				rows[3].AppendNull()
			}
			rows[4].AppendBytes(x.Key)
			rows[5].AppendBytes(x.Subject)
			rows[6].AppendInt64(x.Time)
			rows[7].AppendInt64(x.Value)
		}
	}
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, columns, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		t.Fatal(err)
	}
	start, end := log[0].Offset, log[len(log)-1].Offset+1
	name := fmt.Sprintf("%d-%d.parquet", p, start)
	sum := sha256.Sum256(file.Bytes())
	text, err := json.Marshal(map[string]any{
		"topic_id": "id", "partition": p, "start": start, "end": end, "dead_letters": dead, "punctuations": punctuations,
		"files": []any{map[string]any{"path": name, "size": file.Len(), "sha256": hex.EncodeToString(sum[:]), "rows": n}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.WriteFile(filepath.Join(dir, name), file.Bytes(), 0o644), os.WriteFile(filepath.Join(folder, fmt.Sprintf("%020d.json", start)), text, 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

func TestGoodRunPasses(t *testing.T) {
	e := good(t)
	if r := check.Run(e); !r.OK() || r.Events != len(e.Events.Records) || r.Lost+r.Doubled+r.Cells != 0 {
		t.Fatalf("%+v", r)
	}
}

// Each tampering is caught by its own check, with a message that says what.
func TestTamperedRunIsCaught(t *testing.T) {
	drop := func(topic *check.Topic, i int) {
		topic.Records = slices.Delete(slices.Clone(topic.Records), i, i+1)
		topic.Live = slices.Clone(topic.Records)
	}
	double := func(topic *check.Topic, i int) {
		topic.Records = slices.Insert(slices.Clone(topic.Records), i, topic.Records[i])
		topic.Live = slices.Clone(topic.Records)
	}
	final := func(e *check.Evidence) (i int, m result.Result) {
		for i = range e.Results.Records {
			if err := m.Decode(e.Results.Records[i].Value); err == nil && m.Stage == result.Final && m.Agg.Count > 1 {
				return i, m
			}
		}
		t.Fatal("no final row")
		return 0, m
	}
	// meta is the index of the meta record number n of the changelog.
	meta := func(e *check.Evidence, n int) int {
		for i, r := range e.Changelog.Records {
			if _, ok, err := engine.ReadMeta(r.Key, r.Value); err == nil && ok {
				if n--; n == 0 {
					return i
				}
			}
		}
		t.Fatal("no such transaction")
		return 0
	}
	first := func(e *check.Evidence) (result.Cell, compare.Row) {
		cells := slices.SortedFunc(maps.Keys(e.Batch.Batch.A), result.Cell.Compare)
		return cells[0], e.Batch.Batch.A[cells[0]]
	}
	chain := func(e *check.Evidence) []string {
		names, err := filepath.Glob(filepath.Join(e.Lake, "manifests", e.Topics.Events, "0", "*.json"))
		if err != nil || len(names) != 2 {
			t.Fatal(names, err)
		}
		return names
	}
	spoken := map[string]bool{}
	for _, c := range []struct {
		name    string
		tamper  func(e *check.Evidence)
		check   string
		message string
	}{
		{"the fault did not happen", func(e *check.Evidence) { e.Fault.Fired = 0 }, "assumptions", "happened 0 times"},
		{"nothing flowed", func(e *check.Evidence) { e.Events.Records = nil }, "assumptions", "most of them never came"},
		{"a tame load", func(e *check.Evidence) {
			e.Events.Records = slices.DeleteFunc(slices.Clone(e.Events.Records), func(r check.Record) bool {
				var record event.Record
				return record.Decode(r.Value) != nil || string(record.Punctuation.Sender) == stranger
			})
		}, "assumptions", "no dead letters"},
		{"an open transaction", func(e *check.Evidence) { e.Results.Ends[1].High += 3 }, "quiet", "still open"},
		{"an unfinished stream", func(e *check.Evidence) { e.Group[2].Offset-- }, "quiet", "partition 2 is committed up to"},
		{"an acknowledged message is lost", func(e *check.Evidence) { drop(&e.Events, 5) }, "ledger", "it is lost"},
		{"a message is doubled", func(e *check.Evidence) { double(&e.Events, 5) }, "ledger", "2 times"},
		{"a message that nobody sent", func(e *check.Evidence) { e.Ledger = slices.Delete(e.Ledger, 7, 8) }, "ledger", "nobody sent"},
		{"a missing message of unknown outcome is none", func(e *check.Evidence) {
			i := slices.IndexFunc(e.Ledger, func(m check.Message) bool {
				return bytes.Equal(m.Value, e.Events.Records[len(e.Events.Records)-1].Value)
			})
			e.Ledger[i].Status = ledger.Unknown
		}, "", ""},
		{"messages in another order", func(e *check.Evidence) {
			e.Ledger[0].N, e.Ledger[len(e.Ledger)-1].N = e.Ledger[len(e.Ledger)-1].N, e.Ledger[0].N
		}, "ledger", "which was sent after it"},
		{"readers disagree", func(e *check.Evidence) { e.Results.Live = e.Results.Live[1:] }, "readers", "who followed saw"},
		{"a result is dropped", func(e *check.Evidence) { i, _ := final(e); drop(&e.Results, i) }, "stream", "has no final row of"},
		{"a result is dropped, so its transaction is torn", func(e *check.Evidence) { i, _ := final(e); drop(&e.Results, i) }, "transactions", "it is torn"},
		{"a result is doubled", func(e *check.Evidence) { i, _ := final(e); double(&e.Results, i) }, "transactions", "of its records twice"},
		{"a final row is told twice", func(e *check.Evidence) { i, _ := final(e); double(&e.Results, i) }, "order", "follows the final one"},
		{"a wrong sum", func(e *check.Evidence) {
			i, m := final(e)
			m.Agg.SumLow++
			e.Results.Records[i].Value = m.Append(nil)
			e.Results.Live[i].Value = e.Results.Records[i].Value
		}, "stream", "or their sums or sketches differ"},
		{"an early row is ahead of its transaction", func(e *check.Evidence) {
			for i := range e.Results.Records {
				var m result.Result
				must(t, m.Decode(e.Results.Records[i].Value))
				if m.Stage == result.Early && !strings.HasPrefix(string(m.View), "visits") {
					m.Agg.SumLow++
					e.Results.Records[i].Value = m.Append(nil)
					return
				}
			}
			t.Fatal("no early row")
		}, "early", "up to offset"},
		{"an event is not counted", func(e *check.Evidence) {
			i, m := final(e)
			m.Agg.Count--
			m.Agg.Quantiles = ""
			e.Results.Records[i].Value = m.Append(nil)
		}, "conservation", "the stream tells of"},
		{"an exclusion is missing", func(e *check.Evidence) { drop(&e.Excluded, 3) }, "stream", "the exclusion"},
		{"a dead letter is doubled", func(e *check.Evidence) { double(&e.DeadLetters, 3) }, "stream", "the dead letter"},
		{"a transaction did not end", func(e *check.Evidence) { drop(&e.Changelog, meta(e, 3)) }, "transactions", "those between are missing"},
		{"an aborted transaction can be seen", func(e *check.Evidence) {
			i, m := final(e)
			m.Place.Transaction = 1 << 40
			e.Results.Records[i].Value = m.Append(nil)
		}, "transactions", "it never ended"},
		{"a change of the state is missing", func(e *check.Evidence) { drop(&e.Changelog, meta(e, 3)-1) }, "transactions", "changes, the changelog has"},
		{"a state that cannot be restored", func(e *check.Evidence) {
			last := len(e.Changelog.Records) - 1
			drop(&e.Changelog, last-1)
		}, "changelog", ""},
		{"offsets of another transaction", func(e *check.Evidence) {
			b, err := base64.StdEncoding.DecodeString(e.Group[0].Metadata)
			must(t, err)
			b[9]++
			e.Group[0].Metadata = base64.StdEncoding.EncodeToString(b)
		}, "position", "is committed by transaction"},
		{"foreign metadata", func(e *check.Evidence) { e.Group[0].Metadata = "hello" }, "position", "which no processor writes"},
		{"a manifest is missing", func(e *check.Evidence) { must(t, os.Remove(chain(e)[0])) }, "lake", "a gap or an overlap"},
		{"the lake ends early", func(e *check.Evidence) { must(t, os.Remove(chain(e)[1])) }, "lake", "does not reach the log's end"},
		{"a data file has other bytes", func(e *check.Evidence) {
			name := filepath.Join(e.Lake, "0-0.parquet")
			b, err := os.ReadFile(name)
			must(t, err)
			b[len(b)/2] ^= 1
			must(t, os.WriteFile(name, b, 0o644))
		}, "lake", "not what its manifest promises"},
		{"the lake is another log", func(e *check.Evidence) {
			b, err := os.ReadFile(chain(e)[0])
			must(t, err)
			must(t, os.WriteFile(chain(e)[0], bytes.Replace(b, []byte(`"dead_letters":[{`), []byte(`"dead_letters":[{"offset":0},{`), 1), 0o644))
		}, "lake", "where the log has"},
		{"a row of A is wrong", func(e *check.Evidence) {
			c, row := first(e)
			row.Max++
			e.Batch.Batch.A[c] = row
		}, "batch", "the batch's reading A counts"},
		{"a row of B is missing", func(e *check.Evidence) { c, _ := first(e); delete(e.Batch.Batch.B, c) }, "batch", "reading B has no closed row"},
		{"a judgement is missing", func(e *check.Evidence) { e.Batch.Batch.Judgements = e.Batch.Batch.Judgements[1:] }, "batch", "the batch's judgement"},
		{"B is not the truth", func(e *check.Evidence) {
			c, row := first(e)
			row.Max++
			e.Batch.Batch.B[c] = row
		}, "truth", "what was really sent"},
		{"the reporter does not agree", func(e *check.Evidence) { e.Reporter = "1 cell is not explained" }, "reporter", "not explained"},
		{"the stream comes back too late", func(e *check.Evidence) { e.Fault.Recoveries[0] = time.Hour }, "recovery", "the bound is"},
		{"the stream does not come back", func(e *check.Evidence) { e.Fault.Waiting = 1 }, "recovery", "told nothing new"},
	} {
		spoken[c.check] = true
		t.Run(c.name, func(t *testing.T) {
			e := good(t)
			c.tamper(e)
			r := check.Run(e)
			if c.check == "" {
				if !r.OK() {
					t.Errorf("%q", r.Violations)
				}
				return
			}
			if !slices.ContainsFunc(r.Violations, func(v check.Violation) bool { return v.Check == c.check && strings.Contains(v.Message, c.message) }) {
				t.Errorf("want %s: … %s …, got %q", c.check, c.message, r.Violations)
			}
		})
	}
	for _, name := range check.Names() {
		if !spoken[name] {
			t.Errorf("nothing makes the check %q speak", name)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
