package query_test

import (
	"bytes"
	gocmp "cmp"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/services/batch/query"
)

// row is one of a file; nil is null.
type row struct {
	time, value *int64
	key         *string
}

func write(t *rapid.T, folder string, n int, rows []row, groupRows int, keyKind parquet.Kind) string {
	schema := parquet.Schema{
		{Name: "key", Kind: keyKind, Optional: true},
		{Name: "note", Kind: parquet.String},
		{Name: "value", Kind: parquet.Int64, Optional: true},
		{Name: "event_time", Kind: parquet.Timestamp, Optional: true},
	}
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, schema, parquet.Options{
		GroupRows: groupRows,
		Codec:     rapid.SampledFrom([]parquet.Codec{parquet.Snappy, parquet.Zstd, parquet.Uncompressed}).Draw(t, "codec"),
	})
	if err != nil {
		t.Fatal(err)
	}
	b := parquet.NewBatch(schema)
	for _, r := range rows {
		appendOr(&b[0], r.key == nil, func() { b[0].AppendString(*r.key) })
		b[1].AppendString("")
		appendOr(&b[2], r.value == nil, func() { b[2].AppendInt64(*r.value) })
		appendOr(&b[3], r.time == nil, func() { b[3].AppendInt64(*r.time) })
	}
	if err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, fmt.Sprintf("%d.parquet", n))
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func appendOr(v *parquet.Vector, null bool, value func()) {
	if null {
		v.AppendNull()
		return
	}
	value()
}

// group is one row of an answer.
type group struct {
	start    int64
	key      string
	count    uint64
	sum      string
	min, max int64
}

// naive answers with a map and numbers without bounds.
func naive(rows []row, window int64) (groups []group, nulls int64) {
	type at struct {
		start int64
		key   string
	}
	type state struct {
		group
		sum *big.Int
	}
	cells := map[at]*state{}
	for _, r := range rows {
		if r.time == nil || r.key == nil || r.value == nil {
			nulls++
			continue
		}
		into := *r.time % window
		if into < 0 {
			into += window
		}
		a := at{*r.time - into, *r.key}
		c := cells[a]
		if c == nil {
			c = &state{group{start: a.start, key: a.key, min: *r.value, max: *r.value}, new(big.Int)}
			cells[a] = c
		}
		c.count++
		c.sum.Add(c.sum, big.NewInt(*r.value))
		c.min, c.max = min(c.min, *r.value), max(c.max, *r.value)
	}
	for _, c := range cells {
		c.group.sum = c.sum.String()
		groups = append(groups, c.group)
	}
	slices.SortFunc(groups, func(a, b group) int {
		return gocmp.Or(gocmp.Compare(a.start, b.start), gocmp.Compare(a.key, b.key))
	})
	return groups, nulls
}

func answer(r *query.Rows) (groups []group) {
	for i := range r.Parts {
		p := &r.Parts[i]
		for k := range p.Start {
			a := &p.Agg[k]
			groups = append(groups, group{p.Start[k], r.Keys[p.Place[k]], a.Count, a.BigSum().String(), a.Min, a.Max})
		}
	}
	return groups
}

var windows = []int64{1, 7, 1 << 10, 1_000_000, 3_600_000_000, 7 * 86_400_000_000, 4_294_967_297, 1 << 50}

func drawRows(t *rapid.T) []row {
	nulls := rapid.Bool().Draw(t, "nulls")
	keys := rapid.SampledFrom([]int{1, 3, 200}).Draw(t, "keys")
	wide := rapid.Bool().Draw(t, "wide")
	// Mostly near each other, as the rows of a file are.
	at := rapid.Int64Range(-1e12, 1e12).Draw(t, "at")
	step := rapid.SampledFrom([]int64{0, 1, 1_000_000, 3_000_000_000}).Draw(t, "step")
	random := rapid.Uint64().Draw(t, "seed")
	next := func(n int) int {
		random = random*6364136223846793005 + 1442695040888963407
		return int(random >> 33 % uint64(n))
	}
	var rows []row
	for range rapid.SampledFrom([]int{0, 1, 10, 300, 300, 3000, 20_000}).Draw(t, "rows") {
		at += step * int64(next(5)-1)
		r := row{time: new(at), value: new(int64(next(1000) - 500)), key: new(fmt.Sprint("key-", next(keys)))}
		switch odd := next(1000); {
		case odd < 3 && wide:
			*r.value = []int64{1<<63 - 1, -1 << 63, 1 << 31, -1<<31 - 1}[next(4)]
		case odd < 6 && wide:
			*r.time = []int64{-1 << 62, 1<<62 - 1, at + 1e15, at - 1e15}[next(4)]
		case odd < 9 && nulls:
			r.time = nil
		case odd < 12 && nulls:
			r.value = nil
		case odd < 15 && nulls:
			r.key = nil
		}
		rows = append(rows, r)
	}
	return rows
}

func TestAnswersAsNaivelyCounted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		folder := t.TempDir()
		var rows []row
		c := query.Config{Time: "event_time", Key: "key", Value: "value", Window: rapid.SampledFrom(windows).Draw(rt, "window")}
		for n := range rapid.IntRange(1, 3).Draw(rt, "files") {
			own := drawRows(rt)
			kind := rapid.SampledFrom([]parquet.Kind{parquet.String, parquet.Bytes}).Draw(rt, "kind") // Bytes: no dictionary
			c.Files = append(c.Files, write(rt, folder, n, own, rapid.SampledFrom([]int{100, 2000, 1 << 20}).Draw(rt, "group"), kind))
			rows = append(rows, own...)
		}
		want, nulls := naive(rows, c.Window)
		var first string
		for _, x := range []struct {
			workers int
			memory  query.Bytes // 1 puts every run on disk, 200 kB some
		}{{1, 0}, {3, 0}, {2, 1}, {2, 200_000}} {
			c.Workers, c.Memory, c.Scratch = x.workers, x.memory, folder
			got, err := query.Run(t.Context(), c)
			if err != nil {
				rt.Fatal(err)
			}
			if got.Nulls != nulls || got.Read != int64(len(rows))-nulls || got.Rows != int64(len(want)) {
				rt.Fatalf("%d rows were read, %d left out and %d answered, of %d with %d nulls", got.Read, got.Nulls, got.Rows, len(rows), nulls)
			}
			if spills := x.memory == 1 && len(want) > 0; x.memory <= 1 && spills != (got.Spilled > 0) {
				rt.Fatalf("%d bytes were spilled with a memory of %d", got.Spilled, x.memory)
			}
			if diff := cmp.Diff(want, answer(got), cmp.AllowUnexported(group{})); diff != "" {
				rt.Fatalf("with %+v:\n%s", x, diff)
			}
			name := filepath.Join(folder, "answer")
			if _, err := query.Write(t.Context(), c, name); err != nil {
				rt.Fatal(err)
			}
			b, err := os.ReadFile(name)
			if err != nil {
				rt.Fatal(err)
			}
			if first != "" && string(b) != first {
				rt.Fatalf("%+v gives another file", x)
			}
			first = string(b)
		}
	})
}

// The file's rows are those of the answer in memory.
func TestWritesTheRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		folder := t.TempDir()
		c := query.Config{Time: "event_time", Key: "key", Value: "value", Window: 3_600_000_000}
		c.Files = []string{write(rt, folder, 0, drawRows(rt), 1<<20, parquet.String)}
		rows, err := query.Run(t.Context(), c)
		if err != nil {
			rt.Fatal(err)
		}
		name := filepath.Join(folder, "answer.parquet")
		if _, err := query.Write(t.Context(), c, name); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(answer(rows), readAnswer(rt, name), cmp.AllowUnexported(group{})); diff != "" {
			rt.Fatal(diff)
		}
		left, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil || len(left) != 2 {
			rt.Fatalf("the folder holds %q, %v", left, err)
		}
	})
}

func readAnswer(t *rapid.T, name string) (groups []group) {
	in, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(bytes.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	columns := []string{"window_start", "count", "sum_high", "sum_low", "min", "max", "key"}
	for g := range f.Groups() {
		n := int(f.GroupRows(g))
		ints := make([][]int64, len(columns))
		keys := make([]int32, n)
		var r parquet.ColumnReader
		for i, column := range columns {
			if err := r.Open(f, g, f.Schema().Index(column)); err != nil {
				t.Fatal(err)
			}
			ints[i] = make([]int64, n)
			if column == "key" {
				_, err = r.Codes(keys)
			} else {
				_, err = r.Int64(ints[i], nil)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			p := result.Plain{SumHigh: ints[2][i], SumLow: uint64(ints[3][i])}
			groups = append(groups, group{ints[0][i], string(r.Dict().Value(keys[i])), uint64(ints[1][i]), p.BigSum().String(), ints[4][i], ints[5][i]})
		}
	}
	return groups
}

// What cannot be answered says why, names the file and leaves nothing behind.
func TestRefuses(t *testing.T) {
	folder := t.TempDir()
	rubbish := filepath.Join(folder, "rubbish.parquet")
	if err := os.WriteFile(rubbish, []byte("PAR1 is how it begins, but that is all"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	schema := parquet.Schema{{Name: "event_time", Kind: parquet.Int64}, {Name: "key", Kind: parquet.String}, {Name: "value", Kind: parquet.Int64}}
	w, err := parquet.NewWriter(&out, schema, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(folder, "plain.parquet")
	if err := os.WriteFile(plain, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		file, key string
		window    int64
		want      string
	}{
		{rubbish, "key", 1, "torn or no Parquet"},
		{filepath.Join(folder, "none"), "key", 1, "no such file"},
		{plain, "key", 1, `column "event_time" must hold timestamps, its kind is int64`},
		{plain, "origin", 1, "must hold timestamps"},
		{plain, "key", 0, "a window lasts a µs at least"},
	} {
		c := query.Config{Files: []string{x.file}, Time: "event_time", Key: x.key, Value: "value", Window: x.window}
		_, err := query.Write(t.Context(), c, filepath.Join(folder, "answer"))
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%+v: %v", x, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, "answer*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]query.Bytes{"64MiB": 64 << 20, "4GiB": 4 << 30, "1KiB": 1024, "17": 17, "0": 0} {
		var b query.Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%s: %d, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "MiB", "64MB", "-1", "9999999999GiB", "1.5GiB"} {
		var b query.Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, b)
		}
	}
}
