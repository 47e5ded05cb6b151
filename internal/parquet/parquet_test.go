package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/parquet"
)

// table is a table as the tests know it: per column and row an int64, a string, or nil.
type table struct {
	schema parquet.Schema
	rows   [][]any
}

var kinds = []parquet.Kind{parquet.Int32, parquet.Int64, parquet.Timestamp, parquet.Uint64, parquet.String, parquet.Bytes}

func integer(k parquet.Kind) bool { return k != parquet.String && k != parquet.Bytes }

func drawTable(t *rapid.T) table {
	var tab table
	values := map[int]*rapid.Generator[any]{}
	for i := range rapid.IntRange(1, 5).Draw(t, "columns") {
		c := parquet.Column{
			Name:     fmt.Sprintf("c%d", 9-i), // not in the order of the alphabet
			Kind:     rapid.SampledFrom(kinds).Draw(t, "kind"),
			Optional: rapid.Bool().Draw(t, "optional"),
		}
		tab.schema = append(tab.schema, c)
		var g *rapid.Generator[any]
		switch {
		case c.Kind == parquet.Int32:
			g = rapid.Custom(func(t *rapid.T) any { return int64(rapid.Int32().Draw(t, "v")) })
		case integer(c.Kind):
			g = rapid.Custom(func(t *rapid.T) any { return rapid.Int64().Draw(t, "v") })
		default:
			g = rapid.Custom(func(t *rapid.T) any { return string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "v")) })
		}
		values[i] = g
	}
	// A few drawn rows, repeated with a stride, so that pages and groups fill without drawing millions.
	n := rapid.IntRange(0, 40).Draw(t, "drawn")
	base := make([][]any, n)
	for r := range base {
		for i, c := range tab.schema {
			if c.Optional && rapid.IntRange(0, 2).Draw(t, "null") == 0 {
				base[r] = append(base[r], nil)
			} else {
				base[r] = append(base[r], values[i].Draw(t, "value"))
			}
		}
	}
	if n > 0 {
		total := rapid.SampledFrom([]int{n, n, 500, 1000, 17000}).Draw(t, "rows")
		for r := range total {
			tab.rows = append(tab.rows, base[(r+r/n)%n])
		}
	}
	return tab
}

func write(t testing.TB, tab table, o parquet.Options, batches []int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, tab.schema, o)
	if err != nil {
		t.Fatal(err)
	}
	batch := parquet.NewBatch(tab.schema)
	for i, next := 0, 0; i < len(tab.rows); next++ {
		j := min(len(tab.rows), i+batches[next%len(batches)])
		parquet.ResetBatch(batch)
		for _, row := range tab.rows[i:j] {
			for c, v := range row {
				switch v := v.(type) {
				case nil:
					batch[c].AppendNull()
				case int64:
					batch[c].AppendInt64(v)
				case string:
					batch[c].AppendString(v)
				}
			}
		}
		if err := w.Write(batch); err != nil {
			t.Fatal(err)
		}
		i = j
	}
	if w.Rows() != int64(len(tab.rows)) {
		t.Fatalf("Rows() = %d, want %d", w.Rows(), len(tab.rows))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads everything, text by codes or by values, in portions of step rows.
func read(b []byte, step int, codes bool) (tab table, err error) {
	f, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return tab, err
	}
	tab.schema = append(tab.schema, f.Schema()...)
	var r parquet.ColumnReader
	base := 0
	for g := range f.Groups() {
		for c, column := range tab.schema {
			if column.Kind == parquet.Other {
				continue
			}
			if err := r.Open(f, g, c); err != nil {
				return tab, err
			}
			at := base
			set := func(v any) {
				for at >= len(tab.rows) {
					tab.rows = append(tab.rows, make([]any, len(tab.schema)))
				}
				tab.rows[at][c] = v
				at++
			}
			for err == nil {
				var n int
				switch {
				case integer(column.Kind):
					dst, valid := make([]int64, step), make([]bool, step)
					n, err = r.Int64(dst, valid)
					for i := range n {
						if valid[i] {
							set(dst[i])
						} else {
							set(nil)
						}
					}
				case codes:
					dst := make([]int32, step)
					n, err = r.Codes(dst)
					for _, code := range dst[:n] {
						if code < 0 {
							set(nil)
						} else {
							set(string(r.Dict().Value(code)))
						}
					}
				default:
					dst := make([][]byte, step)
					n, err = r.Values(dst)
					for _, v := range dst[:n] {
						if v == nil {
							set(nil)
						} else {
							set(string(v))
						}
					}
				}
			}
			if !errors.Is(err, io.EOF) {
				return tab, err
			}
			err = nil
		}
		base += int(f.GroupRows(g))
	}
	return tab, nil
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tab := drawTable(rt)
		o := parquet.Options{
			Codec:     rapid.SampledFrom([]parquet.Codec{parquet.Snappy, parquet.Zstd, parquet.Uncompressed}).Draw(rt, "codec"),
			GroupRows: rapid.SampledFrom([]int{0, 7, 400, 10000, 16384}).Draw(rt, "group"),
			Metadata:  map[string]string{"b": "2", "a": "1", "c": "3"},
		}
		if o.GroupRows == 7 && len(tab.rows) > 1000 {
			o.GroupRows = 900
		}
		b := write(t, tab, o, []int{rapid.IntRange(1, 50000).Draw(rt, "batch")})
		if other := write(t, tab, o, []int{1, 1000, 3, 20000}); !bytes.Equal(b, other) {
			rt.Fatal("other batches gave other bytes")
		}
		got, err := read(b, rapid.SampledFrom([]int{1, 100, 8192, 50000}).Draw(rt, "step"), rapid.Bool().Draw(rt, "codes"))
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(tab.rows, got.rows); diff != "" || !cmp.Equal(tab.schema, got.schema) {
			rt.Fatalf("read %v, want %v; rows (-want +got):\n%.2000s", got.schema, tab.schema, diff)
		}
		f, _ := parquet.Open(bytes.NewReader(b), int64(len(b)))
		checkStatistics(rt, f, tab)
		checkSkip(rt, f, tab)
		if v, ok := f.Metadata("b"); v != "2" || !ok {
			rt.Fatalf("metadata b = %q", v)
		}
	})
}

// checkStatistics holds group and page bounds against the values.
func checkStatistics(t *rapid.T, f *parquet.File, tab table) {
	base := int64(0)
	for g := range f.Groups() {
		for c, column := range tab.schema {
			bounds := func(from, to int64) (least, most int64, any bool) {
				for _, row := range tab.rows[base+from : base+to] {
					if v, ok := row[c].(int64); ok {
						if !any {
							least, most, any = v, v, true
						}
						least, most = min(least, v), max(most, v)
					}
				}
				return
			}
			if column.Kind == parquet.Uint64 || !integer(column.Kind) {
				continue
			}
			wantMin, wantMax, any := bounds(0, f.GroupRows(g))
			if least, most, ok := f.Bounds(g, c); ok != any || least != wantMin || most != wantMax {
				t.Fatalf("group %d column %d: bounds %d %d %t, want %d %d %t", g, c, least, most, ok, wantMin, wantMax, any)
			}
			pages, err := f.Pages(g, c)
			if err != nil {
				t.Fatal(err)
			}
			rows := int64(0)
			for _, p := range pages {
				wantMin, wantMax, any := bounds(p.FirstRow, p.FirstRow+p.Rows)
				if p.FirstRow != rows || p.Bounded != any || p.Min != wantMin || p.Max != wantMax {
					t.Fatalf("group %d column %d: page %+v, want row %d bounds %d %d %t", g, c, p, rows, wantMin, wantMax, any)
				}
				rows += p.Rows
			}
			if rows != f.GroupRows(g) {
				t.Fatalf("pages of %d rows, the group has %d", rows, f.GroupRows(g))
			}
		}
		base += f.GroupRows(g)
	}
}

// checkSkip reads single rows here and there.
func checkSkip(t *rapid.T, f *parquet.File, tab table) {
	if f.Groups() == 0 || !integer(tab.schema[0].Kind) {
		return
	}
	var r parquet.ColumnReader
	if err := r.Open(f, 0, 0); err != nil {
		t.Fatal(err)
	}
	at := int64(0)
	for {
		skip := int64(rapid.IntRange(0, 20000).Draw(t, "skip"))
		r.Skip(skip)
		at += skip
		var v [1]int64
		var valid [1]bool
		n, err := r.Int64(v[:], valid[:])
		if at >= f.GroupRows(0) {
			if n != 0 || !errors.Is(err, io.EOF) {
				t.Fatalf("behind the end: %d, %v", n, err)
			}
			return
		}
		want, ok := tab.rows[at][0].(int64)
		if n != 1 || err != nil || v[0] != want || valid[0] != ok {
			t.Fatalf("row %d: %d %d %t %v, want %d %t", at, n, v[0], valid[0], err, want, ok)
		}
		at++
	}
}

func TestWriterRefuses(t *testing.T) {
	one := func(s parquet.Schema, fill func(parquet.Vector) parquet.Vector) error {
		w, err := parquet.NewWriter(io.Discard, s, parquet.Options{})
		if err != nil {
			return err
		}
		b := parquet.NewBatch(s)
		b[0] = fill(b[0])
		return w.Write(b)
	}
	for name, err := range map[string]error{
		"no column":       one(nil, nil),
		"no kind":         one(parquet.Schema{{Name: "a"}}, nil),
		"doubled name":    one(parquet.Schema{{Name: "a", Kind: parquet.Int64}, {Name: "a", Kind: parquet.Int64}}, nil),
		"null":            one(parquet.Schema{{Name: "a", Kind: parquet.Int64}}, func(v parquet.Vector) parquet.Vector { v.AppendNull(); return v }),
		"too wide number": one(parquet.Schema{{Name: "a", Kind: parquet.Int32}}, func(v parquet.Vector) parquet.Vector { v.AppendInt64(1 << 40); return v }),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestDictionaryOverflow has more distinct text than a dictionary holds.
func TestDictionaryOverflow(t *testing.T) {
	tab := table{schema: parquet.Schema{{Name: "s", Kind: parquet.String}}}
	for i := range 60000 {
		tab.rows = append(tab.rows, []any{fmt.Sprintf("%0300d", i)})
	}
	b := write(t, tab, parquet.Options{}, []int{1000})
	for _, codes := range []bool{true, false} {
		got, err := read(b, 4096, codes)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(tab.rows, got.rows) {
			t.Errorf("codes %t: other rows", codes)
		}
	}
}
