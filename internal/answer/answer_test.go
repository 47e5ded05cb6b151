package answer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/answer"
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

func TestWhatIsWrittenIsRead(t *testing.T) {
	id := "v@0123456789abcdef"
	var rows []answer.Row
	for i := range int64(10000) {
		r := answer.Row{
			Reading: []answer.Reading{answer.A, answer.B}[i%2],
			Cell:    result.Cell{View: id, Key: string(rune('a' + i%26)), Span: view.Span{Start: i - 5, End: i + 5}, Partition: int32(i % 4)},
			Agg:     result.Agg{Plain: result.Plain{Count: math.MaxUint64 - uint64(i), SumHigh: -i, SumLow: math.MaxUint64, Min: math.MinInt64, Max: math.MaxInt64}},
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
	defer a.Close()
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

// FuzzDecodeSuccess reads anything; what is accepted lists only files of the two tables.
func FuzzDecodeSuccess(f *testing.F) {
	f.Add([]byte(`{"version":1,"job":"j","files":[{"path":"rows/a.parquet","size":1}]}`))
	f.Add([]byte(`{"version":1,"files":[{"path":"../../etc/passwd"}]}`))
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
