package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
)

const (
	// kept stays as it is; dropped and rebuilt are the views after it.
	kept    = "time: {punctuation: [generator]}\nviews:\n  - {name: kept, window: {tumbling: UNIT}, lateness: UNIT, emit: final}\n"
	changed = `
  - {name: pieces, window: {tumbling: UNIT}, lateness: UNIT, aggregates: [count, sum, p50, p95, p99, distinct]}
  - {name: overlapping, window: {hopping: LONG, every: UNIT}, lateness: UNIT, aggregates: [count, sum, p50, p95, p99, distinct]}
  - {name: rushes, window: {session: UNIT}, lateness: UNIT, aggregates: [count, sum, p50, p95, p99, distinct]}
`
)

// A rebuild over history, at full speed, gives what the live run gave, window for
// window and byte for byte: of flights that were sent as they left, in real time,
// and of the week at full speed.
func TestRebuildEqualsLive(t *testing.T) {
	dir := folder(t)
	b := start(t, "broker", "--addr", "127.0.0.1:0", "--addr-file", filepath.Join(dir, "broker.addr"))
	b.until("its address", func() bool { return exists(dir, "broker.addr") })
	brokers := strings.TrimSpace(read(t, filepath.Join(dir, "broker.addr")))
	t.Run("flights", func(t *testing.T) { // returns after both
		t.Run("in real time", func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, dir, brokers, "minutes", "1m", "6m")
			p.live("--speed", "1", "--dataset", rush(t, p.dir))
			p.isPaced()
			p.rebuild(150)
		})
		t.Run("at full speed", func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, dir, brokers, "week", "1h", "6h")
			p.live("--speed", "max")
			p.rebuild(50_000)
		})
	})
}

// rush writes the flights that left in two minutes in a row, the busiest of the
// week, and returns the file's name.
func rush(t *testing.T, dir string) string {
	t.Helper()
	const from = 992_218_140_000_000 - 19*60_000_000 + 424*60_000_000
	const to = from + 2*60_000_000 // µs
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	week, err := os.ReadFile(filepath.Join(root, "services/generator/flights/flights-2001-06-11-week.parquet"))
	must(err)
	f, err := parquet.Open(bytes.NewReader(week), int64(len(week)))
	must(err)
	schema := parquet.Schema{{Name: "scheduled", Kind: parquet.Timestamp}, {Name: "delay", Kind: parquet.Int32},
		{Name: "origin", Kind: parquet.String}, {Name: "destination", Kind: parquet.String}}
	optional := slices.Clone(schema)
	for i := range optional {
		optional[i].Optional = true
	}
	c, err := f.Cursor(0, f.Groups(), optional...)
	must(err)
	batch := parquet.NewBatch(schema)
	for {
		rows, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(err)
		scheduled, err := c.Int64(0)
		must(err)
		delays, err := c.Int64(1)
		must(err)
		origins, err := c.Codes(2)
		must(err)
		destinations, err := c.Codes(3)
		must(err)
		for i := range rows {
			if known := scheduled[i] + delays[i]*60_000_000; from <= known && known < to {
				batch[0].AppendInt64(scheduled[i])
				batch[1].AppendInt64(delays[i])
				batch[2].AppendBytes(c.Dict(2).Value(origins[i]))
				batch[3].AppendBytes(c.Dict(3).Value(destinations[i]))
			}
		}
	}
	name := filepath.Join(dir, "rush.parquet")
	file, err := os.Create(name)
	must(err)
	w, err := parquet.NewWriter(file, schema, parquet.Options{})
	must(err)
	must(w.Write(batch))
	must(errors.Join(w.Close(), file.Close()))
	return name
}

// play is what a processor answers under a topic prefix of its own.
type play struct {
	t             *testing.T
	dir, group    string
	common        []string // arguments: where
	before, after string   // views files, without the views that are rebuilt and with them
	kafka         kafka.Config
	topics        kafka.Topics
	ends          map[string][]int64 // of the topics when the live run was over
}

const playPartitions = 2

func newPlay(t *testing.T, dir, brokers, name, unit, long string) *play {
	t.Helper()
	p := &play{
		t: t, dir: filepath.Join(dir, name), group: name, common: []string{"--brokers", brokers, "--topic-prefix", name},
		kafka: kafka.Config{Brokers: brokers}, topics: kafka.NewTopics(name), ends: map[string][]int64{},
	}
	p.before, p.after = filepath.Join(p.dir, "before.yaml"), filepath.Join(p.dir, "after.yaml")
	views := strings.NewReplacer("UNIT", unit, "LONG", long)
	if err := errors.Join(os.Mkdir(p.dir, 0o755),
		os.WriteFile(p.before, []byte(views.Replace(kept)), 0o644),
		os.WriteFile(p.after, []byte(views.Replace(kept+changed[1:])), 0o644)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *play) args(command []string, more ...string) []string {
	return slices.Concat(command, p.common, more)
}

// live sends flights to a running processor, and stops it when it has answered.
func (p *play) live(source ...string) {
	p.t.Helper()
	partitions := []string{"--partitions", fmt.Sprint(playPartitions)}
	run(p.t, 0, p.args([]string{"topics"}, partitions...)...)
	processor := start(p.t, p.args([]string{"processor"}, "--views", p.after, "--group", p.group)...)
	run(p.t, 0, p.args([]string{"generator", "--ledger", filepath.Join(p.dir, "ledger")}, append(partitions, source...)...)...)
	admin, err := kafka.NewAdmin(p.kafka)
	if err != nil {
		p.t.Fatal(err)
	}
	defer admin.Close()
	all := make([]int32, playPartitions)
	for i := range all {
		all[i] = int32(i)
	}
	offsets := func(topic string) []kafka.Offsets {
		o, err := admin.Offsets(p.t.Context(), topic, all)
		if err != nil {
			p.t.Fatal(err)
		}
		return o
	}
	sent := offsets(p.topics.Events)
	processor.until("an answer to every event", func() bool {
		committed, err := admin.Committed(p.t.Context(), p.group, p.topics.Events, all)
		if err != nil {
			p.t.Fatal(err)
		}
		return !slices.ContainsFunc(committed, func(c kafka.Committed) bool { return c.Offset < sent[c.Partition].Stable })
	})
	processor.signal(syscall.SIGINT)
	processor.wait()
	for _, topic := range []string{p.topics.Events, p.topics.Results, p.topics.Excluded} {
		for _, o := range offsets(topic) {
			p.ends[topic] = append(p.ends[topic], o.Stable)
		}
	}
}

// read calls visit with the records of a topic, those of the live run or those that came after it.
func (p *play) read(topic string, live bool, visit func(timestamp int64, value []byte)) {
	p.t.Helper()
	admin, err := kafka.NewAdmin(p.kafka)
	if err != nil {
		p.t.Fatal(err)
	}
	defer admin.Close()
	var ranges []kafka.Range
	for i, end := range p.ends[topic] {
		r := kafka.Range{Topic: topic, Partition: int32(i), To: end}
		if !live {
			o, err := admin.Offsets(p.t.Context(), topic, []int32{int32(i)})
			if err != nil {
				p.t.Fatal(err)
			}
			r.From, r.To = end, o[0].Stable
		}
		ranges = append(ranges, r)
	}
	err = kafka.ReadTo(p.t.Context(), p.kafka, kafka.ReaderConfig{}, ranges, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			visit(b.Timestamps[i], b.Value(i))
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// isPaced proves that the live run was one: events a minute apart by their
// records, answered as they came, and windows that events closed.
func (p *play) isPaced() {
	p.t.Helper()
	sent := map[int64]int{} // by timestamp, ms
	p.read(p.topics.Events, true, func(timestamp int64, _ []byte) { sent[timestamp]++ })
	when := slices.Sorted(maps.Keys(sent))
	second := when[len(when)-1]
	if n := sent[second]; len(when) < 2 || second-when[len(when)-2] != 60_000 || n < 20 {
		p.t.Errorf("events were sent at %v ms, %v; want some at the end of a minute", when, sent)
	}
	early, closed := 0, 0
	p.read(p.topics.Results, true, func(timestamp int64, value []byte) {
		var r result.Result
		if err := r.Decode(value); err != nil {
			p.t.Fatal(err)
		}
		if timestamp < second-30_000 { // when it was written
			early++
		}
		if r.Stage == result.Final && r.Watermark < event.MaxWatermark {
			closed++
		}
	})
	p.t.Logf("%v, %d rows before the second minute, %d closed by events", sent, early, closed)
	if early < 50 || closed < 50 {
		p.t.Errorf("%d rows were there before the second minute, events closed windows of %d", early, closed)
	}
}

// rebuild drops views, rebuilds them, and compares. There are to be so many
// final rows at least.
func (p *play) rebuild(least int) {
	p.t.Helper()
	names := []string{"--view", "pieces", "--view", "overlapping", "--view", "rushes", "--group", p.group}
	run(p.t, 0, p.args([]string{"processor", "reset"}, append(names, "--views", p.before)...)...)
	run(p.t, 0, p.args([]string{"processor", "rebuild"}, append(names, "--views", p.after)...)...)
	rows, late := p.answers(true)
	rebuiltRows, rebuiltLate := p.answers(false)
	if diff := cmp.Diff(rows, rebuiltRows); diff != "" {
		p.t.Errorf("final rows (-live +rebuilt): %.2000s", diff)
	}
	if diff := cmp.Diff(late, rebuiltLate); diff != "" {
		p.t.Errorf("late placements (-live +rebuilt): %.2000s", diff)
	}
	views := map[string]int{}
	for cell := range rows {
		views[cell.View]++
	}
	p.t.Logf("%d rows %v, %d late placements", len(rows), views, len(late))
	if len(rows) < least || len(views) != 3 || len(late) == 0 {
		p.t.Errorf("%d rows %v, %d late placements: too little to show anything", len(rows), views, len(late))
	}
}

// answer is a final row without its transaction, which tells how it came about.
type answer struct {
	Offset, Scheduled, Watermark int64 // of the record that closed the window
	Row                          string
}

// answers are the final rows and the late placements of the views that are rebuilt.
func (p *play) answers(live bool) (rows map[result.Cell]answer, late []result.Exclusion) {
	p.t.Helper()
	rows = map[result.Cell]answer{}
	p.read(p.topics.Results, live, func(_ int64, value []byte) {
		var r result.Result
		if err := r.Decode(value); err != nil {
			p.t.Fatal(err)
		}
		if r.Stage != result.Final || strings.HasPrefix(string(r.View), "kept@") {
			return
		}
		if _, twice := rows[r.Cell()]; twice {
			p.t.Errorf("two final rows of %v", r.Cell())
		}
		rows[r.Cell()] = answer{r.Place.Offset, r.Place.Scheduled, r.Watermark, string(result.AppendRow(nil, r.Span, r.Key, &r.Agg))}
	})
	p.read(p.topics.Excluded, live, func(_ int64, value []byte) {
		var x result.Exclusion
		if err := x.Decode(bytes.Clone(value)); err != nil {
			p.t.Fatal(err)
		}
		if x.Cause == result.Late && !strings.HasPrefix(string(x.View), "kept@") {
			x.Place.Transaction, x.Place.Ordinal = 0, 0
			late = append(late, x)
		}
	})
	slices.SortStableFunc(late, func(a, b result.Exclusion) int { return int(a.Place.Partition - b.Place.Partition) })
	return rows, late
}
