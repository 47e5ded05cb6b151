package scan_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
	"parallax.example/services/batch/scan"
)

var schema = parquet.Schema{
	{Name: lake.ColumnPartition, Kind: parquet.Int32},
	{Name: lake.ColumnOffset, Kind: parquet.Int64},
	{Name: lake.ColumnTimestamp, Kind: parquet.Int64},
	{Name: lake.ColumnProducer, Kind: parquet.String, Optional: true},
	{Name: lake.ColumnSeq, Kind: parquet.Uint64, Optional: true},
	{Name: lake.ColumnKey, Kind: parquet.String},
	{Name: lake.ColumnSubject, Kind: parquet.String},
	{Name: lake.ColumnEventTime, Kind: parquet.Timestamp},
	{Name: lake.ColumnValue, Kind: parquet.Int64},
}

type row struct{ offset, time int64 }

// manifest writes rows, which lie in hours of event time, as one manifest.
func manifest(t testing.TB, dir *lake.Dir, start int64, rows []row, groupRows int) {
	t.Helper()
	m := &lake.Manifest{Version: lake.Version, Topic: "t", TopicID: "id", Partitions: 1, Start: start,
		Files: []lake.File{}, DeadLetters: []lake.DeadLetter{}, Punctuations: []lake.Punctuation{}, Writer: "test"}
	m.End = rows[len(rows)-1].offset + 1
	m.Counts = lake.Counts{Records: int64(len(rows)), Events: int64(len(rows))}
	draft := dir.Draft(lake.NewID())
	for hour := range int64(5) {
		batch := parquet.NewBatch(schema)
		f := lake.File{MinOffset: -1}
		for _, r := range rows {
			if lake.HourOf(r.time) != hour {
				continue
			}
			if f.MinOffset < 0 {
				f.MinOffset, f.MinEventTime, f.MaxEventTime = r.offset, r.time, r.time
			}
			f.Rows++
			f.MaxOffset, f.MinEventTime, f.MaxEventTime = r.offset, min(f.MinEventTime, r.time), max(f.MaxEventTime, r.time)
			batch[0].AppendInt64(0)
			batch[1].AppendInt64(r.offset)
			batch[2].AppendInt64(0)
			batch[3].AppendString([]string{"p", "q", "r"}[r.offset%3])
			batch[4].AppendUint64(uint64(r.time + r.offset))
			m.IDs.Add(lake.HashProducer([]byte([]string{"p", "q", "r"}[r.offset%3])), uint64(r.time+r.offset))
			batch[5].AppendString("k")
			batch[6].AppendString("")
			batch[7].AppendInt64(r.time)
			batch[8].AppendInt64(0)
		}
		if f.Rows == 0 {
			continue
		}
		out, err := draft.Create(hour)
		if err != nil {
			t.Fatal(err)
		}
		w, err := parquet.NewWriter(out, schema, parquet.Options{GroupRows: groupRows})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(batch); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f.Size, f.SHA256 = out.Size(), out.SHA256()
		m.Files = append(m.Files, f)
	}
	if err := draft.Commit(m); err != nil {
		t.Fatal(err)
	}
}

func TestOrderIsThatOfOffsets(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir, err := lake.Create(filepath.Join(t.TempDir(), string(rune('a'+n%26)), string(rune('a'+n/26))))
		if err != nil {
			rt.Fatal(err)
		}
		defer dir.Close()
		var want []row
		start, offset := int64(0), int64(0)
		for range rapid.IntRange(1, 3).Draw(rt, "manifests") {
			var rows []row
			for range rapid.IntRange(1, 30).Draw(rt, "rows") {
				offset += rapid.SampledFrom([]int64{0, 0, 0, 3, 65535, 65536, 200000}).Draw(rt, "gap")
				rows = append(rows, row{offset, rapid.Int64Range(0, 5*3_600_000_000-1).Draw(rt, "time")})
				offset++
			}
			manifest(t, dir, start, rows, rapid.IntRange(1, 20).Draw(rt, "group"))
			want, start = append(want, rows...), offset
		}
		chain, err := dir.Chain("t", 0)
		if err != nil {
			rt.Fatal(err)
		}
		cut := rapid.Int64Range(0, offset).Draw(rt, "cut")
		for len(want) > 0 && want[len(want)-1].offset >= cut {
			want = want[:len(want)-1]
		}
		times := scan.NewTimes(dir, chain.Below(cut), cut)
		identities := scan.NewIdentities(dir, chain.Below(cut), cut)
		names := map[int32]int64{}
		at := 0
		for {
			a, err := times.Next()
			b, err2 := identities.Next()
			if errors.Is(err, io.EOF) && errors.Is(err2, io.EOF) {
				break
			}
			if err != nil || err2 != nil {
				rt.Fatal(err, err2)
			}
			for i := range a.Offsets {
				if at >= len(want) || (row{a.Offsets[i], a.Times[i]}) != want[at] {
					rt.Fatalf("row %d: offset %d, time %d, want %v", at, a.Offsets[i], a.Times[i], want[at:])
				}
				w := want[at]
				if name, known := names[b.Producers[i]]; known && name != w.offset%3 || b.Offsets[i] != w.offset || b.Seqs[i] != uint64(w.time+w.offset) {
					rt.Fatalf("row %d: %d %d %d, want %v", at, b.Offsets[i], b.Producers[i], b.Seqs[i], w)
				}
				names[b.Producers[i]] = w.offset % 3
				at++
			}
		}
		if at != len(want) {
			rt.Fatalf("%d rows came, want %d", at, len(want))
		}
		splits, err := scan.Splits(dir, chain.Below(cut), cut)
		if err != nil {
			rt.Fatal(err)
		}
		if (len(want) > 0) != (len(splits) == 1) {
			rt.Fatalf("%d splits for %d rows", len(splits), len(want))
		}
	})
}

// A manifest whose files are whole but hold other ids is found.
func TestOtherIDsThanTheManifest(t *testing.T) {
	folder := t.TempDir()
	dir, err := lake.Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	manifest(t, dir, 0, []row{{0, 7}, {1, 8}, {2, 9}}, 10)
	manifest(t, dir, 3, []row{{3, 7}}, 10)
	names, err := filepath.Glob(filepath.Join(folder, "manifests", "t", "0", "*.json"))
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`"sum": ?"[0-9a-f]{16}"`).ReplaceAllFunc(b, func(sum []byte) []byte {
		return append(sum[:len(sum)-17], `0123456789abcdef"`...)
	})
	if err := os.WriteFile(names[0], changed, 0o644); err != nil {
		t.Fatal(err)
	}
	chain, err := dir.Chain("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	for cut, refused := range map[int64]bool{2: false, 3: true, 4: true} { // a part of the ids says nothing
		rows := scan.NewIdentities(dir, chain.Manifests, cut)
		for err = nil; err == nil; {
			_, err = rows.Next()
		}
		if !errors.Is(err, io.EOF) != refused || refused && !strings.Contains(err.Error(), "offsets 0 to 3 have other ids") {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}
