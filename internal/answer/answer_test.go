package answer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/answer"
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// put writes a file of the job and lists it.
func put(t testing.TB, folder, path string, content []byte, rows int64, s *answer.Success) {
	t.Helper()
	name := filepath.Join(folder, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	s.Files = append(s.Files, answer.File{Path: path, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Rows: rows})
}

// begin writes a job with these rows and judgements and opens it.
func begin(t testing.TB, rows []answer.Row, judgements []answer.Judgement) (*answer.Answer, answer.Success) {
	t.Helper()
	folder := t.TempDir()
	mark := int64(7)
	s := answer.Success{Version: answer.Version, Job: "j", Topic: "t", Partitions: []answer.Partition{{Watermark: &mark}}}
	var out bytes.Buffer
	w, err := answer.NewRowWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.Write(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	n, err := w.Close()
	if err != nil || n != int64(len(rows)) {
		t.Fatal(n, err)
	}
	put(t, folder, "rows/a.parquet", out.Bytes(), n, &s)
	out = bytes.Buffer{}
	x, err := answer.NewJudgementWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range judgements {
		if err := x.Write(&judgements[i]); err != nil {
			t.Fatal(err)
		}
	}
	if n, err = x.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, folder, "judgements/a.parquet", out.Bytes(), n, &s)
	return open(t, folder, &s), s
}

// open completes a job and opens it.
func open(t testing.TB, folder string, s *answer.Success) *answer.Answer {
	t.Helper()
	content, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, answer.SuccessName), content, 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := answer.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// sketched is a row's aggregates with both sketches.
func sketched(values ...int64) result.Agg {
	f := result.NewFold(&view.View{Aggregates: view.Aggregates})
	for _, v := range values {
		f.Event(v, []byte{byte(v)})
	}
	return f.Agg()
}

const id = "v@0123456789abcdef"

func TestWhatIsWrittenIsRead(t *testing.T) {
	var rows []answer.Row
	for i := range int64(10000) {
		r := answer.Row{
			Reading: []answer.Reading{answer.A, answer.B}[i%2],
			Cell:    result.Cell{View: id, Key: string(rune('a' + i%26)), Span: view.Span{Start: i - 5, End: i + 5}, Partition: int32(i % 4)},
			Agg:     result.Agg{Plain: result.Plain{Count: math.MaxUint64 - uint64(i), SumHigh: -i, SumLow: math.MaxUint64, Min: math.MinInt64, Max: math.MaxInt64}},
		}
		switch i % 5 {
		case 0, 1:
			r.Agg = sketched(i/7, -i, i/7)
		case 2:
			r.Agg = sketched(i)
			r.Agg.Quantiles = ""
		case 3:
			r.Agg = sketched(i, 1)
			r.Agg.Distinct = ""
		}
		if i%3 == 0 {
			r.Closed, r.ClosedAt = true, i
		}
		rows = append(rows, r)
	}
	judgements := []answer.Judgement{
		{Partition: 1, Offset: 2, Cell: result.Cell{View: id, Key: "k", Span: view.Span{Start: 10, End: 20}, Partition: 1},
			CauseA: result.Late, Time: 12, Value: -4, HasID: true, Producer: "p", Seq: math.MaxUint64},
		{Partition: 1, Offset: 3, Cell: result.Cell{Key: "\x00", Partition: 1}, CauseA: result.Stale, CauseB: result.Duplicate, HasID: true, Producer: "p"},
		{Partition: 2, Offset: 3, Cell: result.Cell{View: id, Key: "k", Span: view.Span{Start: -10, End: 0}, Partition: 2}, CauseA: result.Late},
	}
	a, s := begin(t, rows, judgements)
	if diff := cmp.Diff(s, a.Success); diff != "" {
		t.Error(diff)
	}
	var gotRows []answer.Row
	if err := a.Rows(func(r *answer.Row) error { gotRows = append(gotRows, *r); return nil }); err != nil {
		t.Fatal(err)
	}
	var gotJudgements []answer.Judgement
	if err := a.Judgements(func(j *answer.Judgement) error { gotJudgements = append(gotJudgements, *j); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, gotRows); diff != "" {
		t.Errorf("rows (-want +got):\n%.2000s", diff)
	}
	if diff := cmp.Diff(judgements, gotJudgements); diff != "" {
		t.Errorf("judgements (-want +got):\n%s", diff)
	}
}

// Other programs find in columns what the sketches say.
func TestReadableColumns(t *testing.T) {
	var values []int64
	for i := range int64(100) {
		values = append(values, i)
	}
	all, plain := sketched(values...), sketched(5)
	plain.Quantiles, plain.Distinct = "", ""
	var out bytes.Buffer
	w, err := answer.NewRowWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []result.Agg{all, plain} {
		if err := w.Write(&answer.Row{Reading: answer.A, Cell: result.Cell{View: id}, Agg: a}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		column string
		kind   parquet.Kind
		want   int64
	}{
		{"p50", parquet.Int64, 49}, {"p95", parquet.Int64, 94}, {"p99", parquet.Int64, 98},
		{"distinct_estimate", parquet.Uint64, int64(all.DistinctSubjects())},
	} {
		c, err := f.Cursor(0, f.Groups(), parquet.Column{Name: x.column, Kind: x.kind, Optional: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(); err != nil {
			t.Fatal(err)
		}
		got, err := c.Int64(0)
		if err != nil || got[0] != x.want || !c.Valid(0)[0] || c.Valid(0)[1] {
			t.Errorf("%s: %v %v %v, want %d and null", x.column, got, c.Valid(0), err, x.want)
		}
	}
}

// Files that somebody else wrote: an error that names the row, or the rows as
// they are; never a panic, here or with whoever takes the row.
func TestForeignRows(t *testing.T) {
	good := sketched(1, 2, 3)
	other := sketched(1, 2)
	for _, x := range []struct {
		name, quantiles, distinct, want string
		count                           int64
		required                        bool
	}{
		{name: "good", count: 3, quantiles: good.Quantiles, distinct: good.Distinct},
		{name: "required columns", count: 3, quantiles: good.Quantiles, distinct: good.Distinct, required: true},
		{name: "another count", count: 3, quantiles: other.Quantiles, want: "counts 2 values of 3"},
		{name: "no histogram", count: 3, quantiles: "\xff", want: "cannot decode histogram"},
		{name: "cut off", count: 3, quantiles: good.Quantiles[:len(good.Quantiles)-1], want: "cannot decode histogram"},
		{name: "not canonical", count: 3, distinct: "\x80\x00", want: "cannot decode distinct"},
		{name: "subjects of nobody", count: 0, distinct: good.Distinct, want: "no events"},
	} {
		s := parquet.Schema{}
		for _, name := range []string{"reading", "view", "hash", "key"} {
			s = append(s, parquet.Column{Name: name, Kind: parquet.String})
		}
		s = append(s, parquet.Schema{
			{Name: "window_start", Kind: parquet.Timestamp}, {Name: "window_end", Kind: parquet.Timestamp}, {Name: "partition", Kind: parquet.Int32},
			{Name: "count", Kind: parquet.Uint64}, {Name: "sum_high", Kind: parquet.Int64}, {Name: "sum_low", Kind: parquet.Uint64},
			{Name: "min", Kind: parquet.Int64}, {Name: "max", Kind: parquet.Int64},
			{Name: "closed_at", Kind: parquet.Int64, Optional: !x.required},
			{Name: "quantiles", Kind: parquet.Bytes, Optional: !x.required}, {Name: "distinct", Kind: parquet.Bytes, Optional: !x.required},
		}...)
		b := parquet.NewBatch(s)
		for i, text := range []string{"A", "v", "0123456789abcdef", "k"} {
			b[i].AppendString(text)
		}
		for i, n := range []int64{10, 20, 0, x.count, 0, 6, 1, 3, 17} {
			b[4+i].AppendInt64(n)
		}
		b[13].AppendString(x.quantiles)
		b[14].AppendString(x.distinct)
		var out bytes.Buffer
		w, err := parquet.NewWriter(&out, s, parquet.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(b), w.Close()); err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		success := answer.Success{Version: answer.Version}
		put(t, folder, "rows/a.parquet", out.Bytes(), 1, &success)
		var row answer.Row
		err = open(t, folder, &success).Rows(func(r *answer.Row) error { row = *r; return nil })
		if x.want == "" {
			if err != nil || row.Agg.Count != 3 || row.Agg.Quantile(50) != 2 || !row.Closed || row.ClosedAt != 17 {
				t.Errorf("%s: %+v, %v", x.name, row, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), `key "k"`) {
			t.Errorf("%s: error %v, want one with %q", x.name, err, x.want)
		}
	}
}

func TestOtherVersionsAreRefused(t *testing.T) {
	_, err := answer.DecodeSuccess([]byte(`{"version":1,"job":"j"}`))
	if err == nil || !strings.Contains(err.Error(), "version 1, this program reads 2; run the batch again") {
		t.Error(err)
	}
}

// FuzzDecodeSuccess reads anything; what is accepted lists only files of the two tables.
func FuzzDecodeSuccess(f *testing.F) {
	f.Add([]byte(`{"version":2,"job":"j","files":[{"path":"rows/a.parquet","size":1}]}`))
	f.Add([]byte(`{"version":2,"files":[{"path":"../../etc/passwd"}]}`))
	f.Add([]byte(`{"version":9}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := answer.DecodeSuccess(b)
		if err != nil {
			return
		}
		for _, x := range s.Files {
			if d := filepath.Dir(x.Path); d != answer.RowsFolder && d != answer.JudgementsFolder {
				t.Fatalf("accepted %q", x.Path)
			}
		}
	})
}
