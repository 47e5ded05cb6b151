package check

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
)

// manifest is what the check wants to know of one; it is read without the lake's
// own code.
type manifest struct {
	TopicID   string `json:"topic_id"`
	Partition int
	Start     int64
	End       int64
	Files     []struct {
		Path   string
		Size   int64
		SHA256 string
		Rows   int64
	}
	DeadLetters []struct {
		Offset int64
		Reason string
	} `json:"dead_letters"`
	Punctuations []struct {
		Offset    int64
		Watermark int64
	}
}

// fact is one record, as the log and the lake must both have it.
type fact struct {
	offset       int64
	kind         string // "event", "punctuation", or why it is dead
	producer     string
	seq          uint64
	hasID        bool
	key, subject string
	time, value  int64
}

func (f *fact) String() string { return fmt.Sprintf("%+v", *f) }

// lakeIsLog holds the lake against the log: the manifests of a partition follow
// each other from its first offset to its end, every file has the bytes that its
// manifest promises, and all of them together are the log, record by record.
func lakeIsLog(r *run) {
	if r.Lake == "" {
		return
	}
	for p := range r.partitions() {
		chain, err := r.chain(p)
		if err != nil {
			r.fail("partition %d: %v", p, err)
			continue
		}
		if last := len(chain) - 1; len(chain) == 0 || chain[last].End != r.Events.Ends[p].High {
			r.fail("partition %d: the lake does not reach the log's end %d", p, r.Events.Ends[p].High)
		}
		var got []fact
		for i := range chain {
			facts, err := r.facts(&chain[i])
			if err != nil {
				r.fail("partition %d, manifest of %d: %v", p, chain[i].Start, err)
				return
			}
			got = append(got, facts...)
		}
		r.compareFacts(p, r.recorded(p), got)
	}
}

func (r *run) compareFacts(p int, want, got []fact) {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			r.report.Lost += len(want) - len(got)
			r.fail("partition %d: the lake lacks %v and what follows", p, &want[i])
			return
		case i >= len(want):
			r.report.Doubled += len(got) - len(want)
			r.fail("partition %d: the lake has %v, and the log has nothing more", p, &got[i])
			return
		case want[i] != got[i]:
			if got[i].offset > want[i].offset {
				r.report.Lost++
			} else {
				r.report.Doubled++
			}
			r.fail("partition %d: the lake has %v where the log has %v", p, &got[i], &want[i])
			return
		}
	}
}

// recorded is a partition of the log as facts.
func (r *run) recorded(p int) []fact {
	var list []fact
	var record event.Record
	for _, m := range r.Events.of(p) {
		f := fact{offset: m.Offset}
		switch err := record.Decode(m.Value); {
		case err != nil:
			f.kind = "dead"
		case record.Kind == event.KindPunctuation:
			f.kind, f.time = "punctuation", record.Punctuation.Watermark
		default:
			e := &record.Event
			f = fact{m.Offset, "event", string(e.Producer), e.Seq, e.HasID, string(e.Key), string(e.Subject), e.Time, e.Value}
		}
		list = append(list, f)
	}
	return list
}

// chain reads a partition's manifests in the order of their names.
func (r *run) chain(p int) ([]manifest, error) {
	folder := filepath.Join(r.Lake, "manifests", r.Events.Name, strconv.Itoa(p))
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var chain []manifest
	var next int64
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var m manifest
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
		if filepath.Base(name) != fmt.Sprintf("%020d.json", m.Start) || m.Partition != p {
			return nil, fmt.Errorf("%s says that it begins at %d of partition %d", filepath.Base(name), m.Start, m.Partition)
		}
		if m.Start != next || m.End <= m.Start {
			return nil, fmt.Errorf("a manifest covers %d to %d, and the one before it ends at %d: the chain has a gap or an overlap", m.Start, m.End, next)
		}
		next = m.End
		chain = append(chain, m)
	}
	return chain, nil
}

// facts are everything that a manifest covers, by offset.
func (r *run) facts(m *manifest) ([]fact, error) {
	var list []fact
	for _, d := range m.DeadLetters {
		list = append(list, fact{offset: d.Offset, kind: "dead"})
	}
	for _, x := range m.Punctuations {
		list = append(list, fact{offset: x.Offset, kind: "punctuation", time: x.Watermark})
	}
	for _, f := range m.Files {
		b, err := os.ReadFile(filepath.Join(r.Lake, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(b); int64(len(b)) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256 {
			return nil, fmt.Errorf("file %q is not what its manifest promises", f.Path)
		}
		rows, err := events(b, m.Partition)
		if err != nil {
			return nil, fmt.Errorf("file %q: %w", f.Path, err)
		}
		if int64(len(rows)) != f.Rows {
			return nil, fmt.Errorf("file %q has %d rows, its manifest says %d", f.Path, len(rows), f.Rows)
		}
		list = append(list, rows...)
	}
	slices.SortStableFunc(list, func(a, b fact) int { return cmp.Compare(a.offset, b.offset) })
	for _, f := range list {
		if f.offset < m.Start || f.offset >= m.End {
			return nil, fmt.Errorf("offset %d lies outside of %d to %d", f.offset, m.Start, m.End)
		}
	}
	return list, nil
}

// events reads the rows of a data file.
func events(b []byte, partition int) ([]fact, error) {
	f, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	var list []fact
	for g := range f.Groups() {
		rows := make([]fact, f.GroupRows(g))
		for i := range rows {
			rows[i].kind = "event"
		}
		if err := group(f, g, rows, partition); err != nil {
			return nil, err
		}
		list = append(list, rows...)
	}
	return list, nil
}

func group(f *parquet.File, g int, rows []fact, partition int) error {
	numbers, valid, texts := make([]int64, len(rows)), make([]bool, len(rows)), make([][]byte, len(rows))
	for name, set := range map[string]func(row *fact, v int64, ok bool){
		lake.ColumnOffset:    func(row *fact, v int64, _ bool) { row.offset = v },
		lake.ColumnSeq:       func(row *fact, v int64, ok bool) { row.seq, row.hasID = uint64(v), ok },
		lake.ColumnEventTime: func(row *fact, v int64, _ bool) { row.time = v },
		lake.ColumnValue:     func(row *fact, v int64, _ bool) { row.value = v },
		lake.ColumnPartition: func(row *fact, v int64, _ bool) {
			if v != int64(partition) {
				row.kind = fmt.Sprintf("of partition %d", v)
			}
		},
	} {
		var c parquet.ColumnReader
		if err := c.Open(f, g, f.Schema().Index(name)); err != nil {
			return err
		}
		for done := 0; done < len(rows); {
			n, err := c.Int64(numbers[done:], valid[done:])
			if n == 0 {
				return fmt.Errorf("column %q ends after %d of %d rows: %w", name, done, len(rows), err)
			}
			done += n
		}
		for i := range rows {
			v := numbers[i]
			if !valid[i] {
				v = 0
			}
			set(&rows[i], v, valid[i])
		}
	}
	for name, set := range map[string]func(row *fact, text string){
		lake.ColumnProducer: func(row *fact, text string) { row.producer = text },
		lake.ColumnKey:      func(row *fact, text string) { row.key = text },
		lake.ColumnSubject:  func(row *fact, text string) { row.subject = text },
	} {
		var c parquet.ColumnReader
		if err := c.Open(f, g, f.Schema().Index(name)); err != nil {
			return err
		}
		for done := 0; done < len(rows); {
			n, err := c.Values(texts[done:])
			if n == 0 {
				return fmt.Errorf("column %q ends after %d of %d rows: %w", name, done, len(rows), err)
			}
			for i := done; i < done+n; i++ {
				set(&rows[i], string(texts[i]))
			}
			done += n
		}
	}
	return nil
}
