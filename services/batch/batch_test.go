package batch_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/answer"
	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/batch"
)

func sortInts(s []int64) { slices.Sort(s) }

// drawViews draws a views.yaml.
func drawViews(t *rapid.T) string {
	of := rapid.IntRange(1, 9).Draw(t, "of")
	text := fmt.Sprintf("time:\n  believed: {count: %d, of: %d}\n  lag: %ds\n  punctuation: [gen]\nviews:\n",
		rapid.IntRange(1, of).Draw(t, "count"), of, rapid.SampledFrom([]int{0, 0, 7, 600}).Draw(t, "lag"))
	for i := range rapid.IntRange(1, 3).Draw(t, "views") {
		window := rapid.SampledFrom([]string{"{tumbling: 10m}", "{tumbling: 1h}", "{hopping: 1h, every: 10m}", "{hopping: 40m, every: 20m}", "{tumbling: 7s}",
			"{session: 5m}", "{session: 10m}", "{session: 2h}", "{session: 7s}"}).Draw(t, "window")
		aggregates := rapid.SampledFrom([]string{"[sum]", "[count, p50]", "[distinct, max]", "[p95, p99, distinct]"}).Draw(t, "aggregates")
		text += fmt.Sprintf("  - {name: v%d, window: %s, lateness: %ds, aggregates: %s}\n", i, window,
			rapid.SampledFrom([]int{0, 60, 3600}).Draw(t, "lateness"), aggregates)
	}
	return text
}

// drawLog draws the records of some partitions: in order and not, repeated,
// stale, with wild clocks, without identity, undecodable, with gaps. Half of the
// logs have times on a coarse grid, where windows and sessions end exactly at events.
func drawLog(t *rapid.T, partitions int) []oracle.Record {
	var log []oracle.Record
	grid := rapid.SampledFrom([]int64{1, 150_000_000}).Draw(t, "grid")
	for p := range int32(partitions) {
		offset := int64(3) * int64(p)
		now := int64(1_000_000_000_000_000) + int64(p)*1e9
		type id struct {
			producer string
			seq      uint64
		}
		var sent []id
		next := map[string]uint64{}
		for range rapid.IntRange(0, 60).Draw(t, "records") {
			offset += int64(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 5, 70000}).Draw(t, "gap"))
			r := oracle.Record{Partition: p, Offset: offset}
			offset++
			now += int64(rapid.IntRange(0, 600).Draw(t, "step")) * 1_000_000
			e := event.Event{
				Key:     []byte(rapid.SampledFrom([]string{"a", "b", "b\x00", "ö"}).Draw(t, "key")),
				Subject: []byte(rapid.SampledFrom([]string{"", "s", "t", "\x00"}).Draw(t, "subject")), Time: now - int64(rapid.SampledFrom([]int{0, 0, 1, 100, 3000, 20000}).Draw(t, "delay"))*1_000_000,
				Value: rapid.OneOf(rapid.Int64Range(-100, 100), rapid.Int64()).Draw(t, "value"),
			}
			e.Time -= e.Time % grid
			producer := rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "producer")
			switch kind := rapid.IntRange(0, 19).Draw(t, "kind"); {
			case kind == 0:
				r.Value = []byte("rubbish")
				log = append(log, r)
				continue
			case kind == 1:
				r.Value = event.AppendPunctuationProto(nil, &event.Punctuation{
					Sender: []byte(rapid.SampledFrom([]string{"gen", "stranger"}).Draw(t, "sender")), Watermark: now - 1_000_000_000,
				})
				log = append(log, r)
				continue
			case kind == 2:
				e.Time = rapid.SampledFrom([]int64{0, 1, event.EndTime - 1, now + 1e12}).Draw(t, "wild")
			case kind <= 5 && len(sent) > 0:
				x := rapid.SampledFrom(sent).Draw(t, "repeated")
				e.Producer, e.Seq, e.HasID = []byte(x.producer), x.seq, true
			case producer != "":
				next[producer] += rapid.SampledFrom([]uint64{1, 1, 1, 2, view.Horizon, view.Horizon + 1, 1 << 40}).Draw(t, "jump")
				seq := next[producer]
				if rapid.IntRange(0, 9).Draw(t, "back") == 0 {
					seq -= min(seq, rapid.SampledFrom([]uint64{1, view.Horizon - 1, view.Horizon, view.Horizon + 1, view.Horizon + 3, 1 << 22}).Draw(t, "by"))
				}
				e.Producer, e.Seq, e.HasID = []byte(producer), seq, true
				sent = append(sent, id{producer, seq})
			}
			r.Value = event.AppendProto(nil, &e)
			log = append(log, r)
		}
	}
	return log
}

// got is a batch answer in the oracle's words.
type got struct {
	rows, open map[answer.Reading]map[result.Cell]result.Agg
	closedAt   map[answer.Reading]map[result.Cell]int64
	judged     []answer.Judgement
	success    answer.Success
}

func read(t testing.TB, folder string) got {
	t.Helper()
	a, err := answer.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	g := got{
		rows:     map[answer.Reading]map[result.Cell]result.Agg{answer.A: {}, answer.B: {}},
		open:     map[answer.Reading]map[result.Cell]result.Agg{answer.A: {}, answer.B: {}},
		closedAt: map[answer.Reading]map[result.Cell]int64{answer.A: {}, answer.B: {}}, success: a.Success,
	}
	err = a.Rows(func(r *answer.Row) error {
		into := g.open
		if r.Closed {
			into = g.rows
			g.closedAt[r.Reading][r.Cell] = r.ClosedAt
		}
		if _, twice := into[r.Reading][r.Cell]; twice {
			return fmt.Errorf("%v stands twice in %s", r.Cell, r.Reading)
		}
		into[r.Reading][r.Cell] = r.Agg
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Judgements(func(j *answer.Judgement) error { g.judged = append(g.judged, *j); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(g.judged, func(x, y answer.Judgement) int {
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset),
			cmp.Compare(x.Cell.View, y.Cell.View), cmp.Compare(x.Cell.Span.Start, y.Cell.Span.Start))
	})
	return g
}

// wantJudged is what the oracle excludes, in the words of the batch.
func wantJudged(log []oracle.Record, a, b *oracle.Answer) []answer.Judgement {
	type place struct {
		partition int32
		offset    int64
	}
	values := map[place][]byte{}
	for _, r := range log {
		values[place{r.Partition, r.Offset}] = r.Value
	}
	excludedByB := map[place]result.Cause{}
	for _, x := range b.Excluded {
		excludedByB[place{x.Partition, x.Offset}] = x.Cause
	}
	var want []answer.Judgement
	for _, x := range a.Excluded {
		at := place{x.Partition, x.Offset}
		var r event.Record
		if err := r.Decode(values[at]); err != nil {
			panic(err)
		}
		want = append(want, answer.Judgement{
			Partition: x.Partition, Offset: x.Offset,
			Cell:   result.Cell{View: x.View, Key: string(r.Event.Key), Span: x.Span, Partition: x.Partition},
			CauseA: x.Cause, CauseB: excludedByB[at], Time: r.Event.Time, Value: r.Event.Value,
			HasID: r.Event.HasID, Producer: string(r.Event.Producer), Seq: r.Event.Seq,
		})
	}
	return want
}

func check(t interface{ Fatalf(string, ...any) }, f *view.File, log []oracle.Record, g got) {
	a, b := oracle.Stream(f, log), oracle.All(f, log)
	for _, x := range []struct {
		name      string
		want, got any
	}{
		{"closed rows of A", a.Rows, g.rows[answer.A]},
		{"open rows of A", a.Open, g.open[answer.A]},
		{"closed rows of B", b.Rows, g.rows[answer.B]},
		{"open rows of B", b.Open, g.open[answer.B]},
		{"closing offsets of A", a.ClosedAt, g.closedAt[answer.A]},
		{"closing offsets of B", b.ClosedAt, g.closedAt[answer.B]},
		{"judgements", wantJudged(log, a, b), g.judged},
	} {
		if diff := gocmp.Diff(x.want, x.got); diff != "" {
			t.Fatalf("%s (-oracle +batch):\n%s", x.name, diff)
		}
	}
	for _, p := range g.success.Partitions {
		want, all := a.Counts[p.Partition], b.Counts[p.Partition]
		if want == nil {
			want, all = &oracle.Counts{Watermark: oracle.NoWatermark}, &oracle.Counts{}
		}
		got := oracle.Counts{
			Records: uint64(p.Records), Valid: uint64(p.Valid), Duplicate: uint64(p.Duplicates), Stale: uint64(p.Stale),
			DeadLetters: uint64(p.DeadLetters), Punctuation: uint64(p.Punctuations), Watermark: oracle.NoWatermark,
		}
		if p.Watermark != nil {
			got.Watermark = *p.Watermark
		}
		w := *want
		w.Counted, w.Late = nil, nil
		if diff := gocmp.Diff(w, got); diff != "" {
			t.Fatalf("totals of partition %d (-oracle +batch):\n%s", p.Partition, diff)
		}
		if uint64(p.RepeatedIDs) != all.Duplicate {
			t.Fatalf("partition %d: %d repeated ids, want %d", p.Partition, p.RepeatedIDs, all.Duplicate)
		}
		for _, v := range p.Views {
			if uint64(v.Counted) != want.Counted[v.View] || uint64(v.Late) != want.Late[v.View] || uint64(v.CountedB) != all.Counted[v.View] {
				t.Fatalf("partition %d: placements %+v, want %d, %d, %d", p.Partition, v, want.Counted[v.View], want.Late[v.View], all.Counted[v.View])
			}
		}
	}
}

// tree is every file below a folder; the job's name is taken out of its content.
func tree(t testing.TB, folder, job string) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			files[strings.TrimPrefix(path, folder)] = strings.ReplaceAll(string(b), job, "JOB")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func run(t testing.TB, c batch.Config) (answer.Success, error) {
	t.Helper()
	b, err := batch.New(c, batch.Deps{Now: func() time.Time { return time.Unix(0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return b.Run(t.Context())
}

// TestOracle holds both readings, every exclusion and every total against the
// oracle, and the bytes against those of other numbers of workers.
func TestOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		folder := t.TempDir()
		text := drawViews(rt)
		f, err := view.Parse("views.yaml", []byte(text))
		if err != nil {
			rt.Fatalf("%v\n%s", err, text)
		}
		c := batch.Config{Lake: filepath.Join(folder, "lake"), Out: filepath.Join(folder, "out"), Views: filepath.Join(folder, "views.yaml")}
		if err := os.WriteFile(c.Views, []byte(text), 0o644); err != nil {
			rt.Fatal(err)
		}
		partitions := rapid.IntRange(1, 3).Draw(rt, "partitions")
		log := drawLog(rt, partitions)
		if len(log) == 0 {
			return
		}
		sizes := rapid.SliceOfN(rapid.IntRange(1, 50), 1, 3).Draw(rt, "manifests")
		writeLake(t, c.Lake, partitions, log, sizes, rapid.IntRange(1, 20).Draw(rt, "group"))

		// A cut somewhere, perhaps inside a manifest.
		below := log
		if p := log[rapid.IntRange(0, len(log)-1).Draw(rt, "cut")]; rapid.Bool().Draw(rt, "cutting") {
			c.Cut = fmt.Sprintf("%d=%d", p.Partition, p.Offset)
			below = slices.DeleteFunc(slices.Clone(log), func(r oracle.Record) bool { return r.Partition == p.Partition && r.Offset >= p.Offset })
		}
		var first map[string]string
		for _, workers := range []int{1, 3} {
			c.Workers, c.Job = workers, fmt.Sprint("job-", workers)
			if _, err := run(t, c); err != nil {
				rt.Fatalf("%v", err)
			}
			files := tree(t, filepath.Join(c.Out, c.Job), c.Job)
			if first == nil {
				first = files
				check(rt, f, below, read(t, filepath.Join(c.Out, c.Job)))
			} else if diff := gocmp.Diff(first, files); diff != "" {
				rt.Fatalf("%d workers gave other bytes:\n%s", workers, diff)
			}
		}
	})
}

// TestSessionBoundaries is a log in which everything happens at the last moment:
// sessions touch, close and are missed by not even a microsecond.
func TestSessionBoundaries(t *testing.T) {
	const text = `
time: {believed: {count: 1, of: 1}}
views: [{name: s, window: {session: 10s}, lateness: 5s}]
`
	folder := t.TempDir()
	c := batch.Config{Lake: filepath.Join(folder, "lake"), Out: filepath.Join(folder, "out"), Views: filepath.Join(folder, "views.yaml"), Job: "job"}
	if err := os.WriteFile(c.Views, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := view.Parse("views.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var log []oracle.Record
	add := func(key string, micros int64) {
		i := int64(len(log))
		e := event.Event{Key: []byte(key), Producer: []byte("p"), Seq: uint64(i), HasID: true, Time: micros, Value: 1 << i}
		log = append(log, oracle.Record{Offset: i, Value: event.AppendProto(nil, &e)})
	}
	for _, at := range []int64{
		100, // 0: [100, 110)
		90,  // 1: [90, 100) touches it
		110, // 2: [110, 120) touches it, and closes [90, 100)
		105, // 3: joins two: [100, 120)
		125, // 4: closes it
		119, // 5: beside the closed one it joins [125, 135)
		109, // 6: [109, 119) only touches what is open, and is late
		110, // 7: [110, 120) would be closed, and begins before [119, 135): late
	} {
		add("k", at*1_000_000)
	}
	add("l", 110_000_000) // 8: at 125 s its [110, 120) is closed: late
	add("l", 110_000_001) // 9: a microsecond more
	add("k", 139_000_000) // 10: [139, 149)
	add("k", 121_000_000) // 11: [121, 131) would be closed, but falls into [119, 135), which is open
	writeLake(t, c.Lake, 1, log, []int{5}, 0)
	if _, err := run(t, c); err != nil {
		t.Fatal(err)
	}
	g := read(t, filepath.Join(c.Out, c.Job))
	check(t, f, log, g)
	var late []int64
	for _, j := range g.judged {
		late = append(late, j.Offset)
	}
	if !slices.Equal(late, []int64{6, 7, 8}) {
		t.Errorf("late are %v", late)
	}
}
