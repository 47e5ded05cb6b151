package parquet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"

	"parallax.example/internal/parquet"
)

// foreign writes rows as other writers do: with another page version, codec and encoding.
func foreign(t testing.TB, version int, codec compress.Codec, text encoding.Encoding, rows int64) []byte {
	t.Helper()
	type row struct {
		Date     int64   `parquet:"date,timestamp(millisecond),dict"`
		Nano     int64   `parquet:"nano,timestamp(nanosecond)"`
		Delay    int32   `parquet:"delay,dict"`
		Distance int32   `parquet:"distance"`
		Origin   *string `parquet:"origin,optional,dict"`
		Note     string  `parquet:"note"`
		Seq      uint64  `parquet:"seq"`
		Score    float64 `parquet:"score"`
	}
	var out bytes.Buffer
	w := pq.NewGenericWriter[row](&out, pq.DataPageVersion(version), pq.Compression(codec), pq.PageBufferSize(4000), pq.MaxRowsPerRowGroup(3000),
		pq.DefaultEncodingFor(pq.ByteArray, text))
	for i := range rows {
		r := row{i / 7 * 1000, -i*1000 - 1, int32(i % 50), -int32(i), nil, fmt.Sprint("note ", i%333), uint64(i), 0.5}
		if i%5 != 0 {
			s := fmt.Sprint("O", i%11)
			r.Origin = &s
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func foreigners(t testing.TB, rows int64) map[string][]byte {
	files := map[string][]byte{}
	for name, codec := range map[string]compress.Codec{"plain": &pq.Uncompressed, "snappy": &pq.Snappy, "gzip": &pq.Gzip, "zstd": &pq.Zstd} {
		for version := 1; version <= 2; version++ {
			for _, text := range []encoding.Encoding{&pq.Plain, &pq.DeltaLengthByteArray} {
				files[fmt.Sprintf("%s v%d %s", name, version, text)] = foreign(t, version, codec, text, rows)
			}
		}
	}
	return files
}

func TestForeignFiles(t *testing.T) {
	for name, b := range foreigners(t, 10000) {
		for _, codes := range []bool{true, false} {
			got, err := read(b, 777, codes)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(got.rows) != 10000 {
				t.Fatalf("%s: %d rows", name, len(got.rows))
			}
			for i, r := range got.rows {
				i := int64(i)
				var origin any
				if i%5 != 0 {
					origin = fmt.Sprint("O", i%11)
				}
				want := []any{i / 7 * 1000 * 1000, -i - 1, i % 50, -i, origin, fmt.Sprint("note ", i%333), i, any(nil)}
				if fmt.Sprint(r) != fmt.Sprint(want) {
					t.Fatalf("%s row %d: %v, want %v", name, i, r, want)
				}
			}
		}
	}
}

func TestForeignSchema(t *testing.T) {
	b := foreign(t, 1, &pq.Snappy, &pq.Plain, 10000)
	f, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if c := f.Schema().Index("score"); f.Schema()[c].Kind != parquet.Other {
		t.Errorf("a float is of kind %s", f.Schema()[c].Kind)
	} else if err := new(parquet.ColumnReader).Open(f, 0, c); err == nil {
		t.Error("a float was opened")
	}
	if least, most, ok := f.Bounds(0, f.Schema().Index("nano")); !ok || least != -3000 || most != -1 {
		t.Errorf("bounds of nanoseconds: %d to %d, %t", least, most, ok)
	}
}

// TestFlights reads the real data set, where it lies.
func TestFlights(t *testing.T) {
	path := os.Getenv("FLIGHTS")
	if path == "" {
		t.Skip("FLIGHTS names no file")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(f.Schema(), f.Groups(), f.Rows())
	file, _ := pq.OpenFile(bytes.NewReader(b), int64(len(b)))
	for _, c := range file.Metadata().RowGroups[0].Columns {
		t.Log(c.MetaData.PathInSchema, c.MetaData.Type, c.MetaData.Encoding, c.MetaData.Codec, c.MetaData.EncodingStats)
	}
	got, err := read(b, 8192, true)
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	delay := f.Schema().Index("delay")
	for _, r := range got.rows {
		sum += r[delay].(int64)
	}
	t.Log(len(got.rows), got.rows[0], "sum of delays", sum)
}

// FuzzRead opens and reads anything. What is refused is refused with an error.
func FuzzRead(f *testing.F) {
	for _, b := range foreigners(f, 30) {
		f.Add(b)
	}
	small := table{schema: parquet.Schema{
		{Name: "a", Kind: parquet.Int64, Optional: true}, {Name: "b", Kind: parquet.String, Optional: true},
		{Name: "c", Kind: parquet.Bytes}, {Name: "d", Kind: parquet.Int32}, {Name: "e", Kind: parquet.Timestamp},
	}}
	for i := range int64(20) {
		small.rows = append(small.rows, []any{i, "x", "yy", -i, i * i}, []any{nil, nil, "", i, i})
	}
	for _, codec := range []parquet.Codec{parquet.Snappy, parquet.Zstd, parquet.Uncompressed} {
		f.Add(write(f, small, parquet.Options{Codec: codec, GroupRows: 30}, []int{10}))
	}
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := parquet.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		var r parquet.ColumnReader
		for g := range min(file.Groups(), 3) {
			for c, column := range file.Schema() {
				file.Bounds(g, c)
				_, _ = file.Pages(g, c)
				if r.Open(file, g, c) != nil {
					continue
				}
				for n, budget := 1, 1<<16; n > 0 && budget > 0; budget -= n {
					switch {
					case integer(column.Kind):
						n, err = r.Int64(make([]int64, 512), make([]bool, 512))
					case c%2 == 0:
						codes := make([]int32, 512)
						n, err = r.Codes(codes)
						for _, code := range codes[:n] {
							if code >= 0 {
								r.Dict().Value(code)
							}
						}
					default:
						n, err = r.Values(make([][]byte, 512))
					}
					if n == 0 && err == nil {
						t.Fatal("neither rows nor an error")
					}
				}
			}
		}
	})
}

// TestDamage cuts and flips: never a panic, and never a silent success of a cut file.
func TestDamage(t *testing.T) {
	tab := table{schema: parquet.Schema{{Name: "a", Kind: parquet.Int64}, {Name: "b", Kind: parquet.String}}}
	for i := range int64(3000) {
		tab.rows = append(tab.rows, []any{i * 37 % 1001, fmt.Sprint(i % 17)})
	}
	whole := write(t, tab, parquet.Options{}, []int{1000})
	for n := range whole {
		if _, err := parquet.Open(bytes.NewReader(whole[:n]), int64(n)); err == nil {
			t.Fatalf("the first %d of %d bytes were opened", n, len(whole))
		}
	}
	for i := range whole {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			b := bytes.Clone(whole)
			b[i] ^= mask
			_, _ = read(b, 1000, i%2 == 0)
		}
	}
	huge := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(huge[len(huge)-8:], 1<<31)
	if _, err := parquet.Open(bytes.NewReader(huge), int64(len(huge))); err == nil {
		t.Error("a footer of 2 GiB was opened")
	}
}

var sink int64

// BenchmarkWrite writes the lake's shape: rows/s is what counts.
func BenchmarkWrite(b *testing.B) {
	schema, batch := lakeShape(1 << 16)
	b.ReportAllocs()
	w, _ := parquet.NewWriter(io.Discard, schema, parquet.Options{})
	for b.Loop() {
		if err := w.Write(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(w.Rows()), "ns/row")
	b.ReportMetric(float64(w.Rows())/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// BenchmarkRead reads four columns of it.
func BenchmarkRead(b *testing.B) {
	schema, batch := lakeShape(1 << 20)
	var out bytes.Buffer
	w, _ := parquet.NewWriter(&out, schema, parquet.Options{})
	if err := w.Write(batch); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	f, err := parquet.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		b.Fatal(err)
	}
	var r parquet.ColumnReader
	ints, codes := make([]int64, 8192), make([]int32, 8192)
	rows := 0
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range []string{"offset", "event_time", "key", "value"} {
			c := schema.Index(name)
			if err := r.Open(f, 0, c); err != nil {
				b.Fatal(err)
			}
			for {
				var n int
				if schema[c].Kind == parquet.String {
					n, err = r.Codes(codes)
				} else {
					n, err = r.Int64(ints, nil)
					sink += ints[0]
				}
				if err != nil {
					break
				}
				rows += n
			}
		}
	}
	rows /= 4
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
	b.ReportMetric(float64(out.Len())/float64(1<<20), "B/row")
}

func lakeShape(rows int) (parquet.Schema, []parquet.Vector) {
	s := parquet.Schema{
		{Name: "offset", Kind: parquet.Int64}, {Name: "event_time", Kind: parquet.Timestamp},
		{Name: "producer", Kind: parquet.String}, {Name: "seq", Kind: parquet.Uint64},
		{Name: "key", Kind: parquet.String}, {Name: "subject", Kind: parquet.String}, {Name: "value", Kind: parquet.Int64},
	}
	batch := parquet.NewBatch(s)
	x := uint64(1)
	for i := range int64(rows) {
		x = x*6364136223846793005 + 1442695040888963407
		r := int64(x >> 33)
		batch[0].AppendInt64(i)
		batch[1].AppendInt64(992217600000000 + i*5_000_000 + r%60*60_000_000)
		batch[2].AppendString("generator")
		batch[3].AppendUint64(uint64(i))
		batch[4].AppendString(airport(r % 300))
		batch[5].AppendString(airport(r / 300 % 300))
		batch[6].AppendInt64(r%200 - 30)
	}
	return s, batch
}

func airport(n int64) string { return string([]byte{'A' + byte(n%26), 'A' + byte(n/26%26), 'X'}) }
