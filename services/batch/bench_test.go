package batch_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
	"parallax.example/services/batch"
	"parallax.example/services/batch/scan"
)

const benchRows = 2 << 20

var subjects = func() (s []string) {
	for i := range 500 {
		s = append(s, fmt.Sprint("subject-", i))
	}
	return s
}()

// benchLake has two partitions of a million events each: 300 keys, a clock that
// runs 20 ms per event with up to two hours of delay, one producer each, 500
// subjects.
func benchLake(b *testing.B) string {
	folder := filepath.Join(b.TempDir(), "lake")
	dir, err := lake.Create(folder)
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	const perManifest = 1 << 19
	for p := range int32(2) {
		for start := int64(0); start < benchRows/2; start += perManifest {
			benchManifest(b, dir, p, start, start+perManifest)
		}
	}
	return folder
}

func benchManifest(b *testing.B, dir *lake.Dir, p int32, start, end int64) {
	m := &lake.Manifest{Version: lake.Version, Topic: topic, TopicID: "id", Partitions: 2, Partition: p, Start: start, End: end,
		Files: []lake.File{}, DeadLetters: []lake.DeadLetter{}, Punctuations: []lake.Punctuation{}, Writer: "bench"}
	m.Counts = lake.Counts{Records: end - start, Events: end - start}
	batches, files := map[int64][]parquet.Vector{}, map[int64]*lake.File{}
	producer := fmt.Sprint("generator-", p)
	for o := start; o < end; o++ {
		x := uint64(o+1) * 0x9e3779b97f4a7c15
		x ^= x >> 29
		at := 1_000_000_000_000_000 + o*20_000
		if x%16 == 0 {
			at -= int64(x>>20%7200) * 1_000_000
		}
		h := lake.HourOf(at)
		v, f := batches[h], files[h]
		if v == nil {
			v, f = parquet.NewBatch(lakeSchema), &lake.File{MinOffset: o, MinEventTime: at, MaxEventTime: at}
			batches[h], files[h] = v, f
		}
		f.Rows++
		f.MaxOffset, f.MinEventTime, f.MaxEventTime = o, min(f.MinEventTime, at), max(f.MaxEventTime, at)
		v[0].AppendInt64(int64(p))
		v[1].AppendInt64(o)
		v[2].AppendInt64(o / 50)
		v[3].AppendString(producer)
		v[4].AppendUint64(uint64(o))
		v[5].AppendString(string([]byte{'A' + byte(x>>40%20), 'A' + byte(x>>50%15), 'X'}))
		v[6].AppendString(subjects[x>>44%uint64(len(subjects))])
		v[7].AppendInt64(at)
		v[8].AppendInt64(int64(x >> 56))
		m.IDs.Add(lake.HashProducer([]byte(producer)), uint64(o))
	}
	var hours []int64
	for h := range batches {
		hours = append(hours, h)
	}
	sortInts(hours)
	draft := dir.Draft(lake.NewID())
	for _, h := range hours {
		out, err := draft.Create(h)
		if err != nil {
			b.Fatal(err)
		}
		w, err := parquet.NewWriter(out, lakeSchema, parquet.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Write(batches[h]); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		files[h].Size, files[h].SHA256 = out.Size(), out.SHA256()
		m.Files = append(m.Files, *files[h])
	}
	if err := draft.Commit(m); err != nil {
		b.Fatal(err)
	}
}

// cpu is the process's CPU time so far, in ns.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRun is a whole job: verify, both passes, shuffle, commit.
func BenchmarkRun(b *testing.B) {
	folder := benchLake(b)
	for _, x := range []struct{ name, view string }{
		{"tumbling", "window: {tumbling: 1h}"},
		{"hopping6", "window: {hopping: 1h, every: 10m}"},
		{"tumbling-sketches", "window: {tumbling: 1h}, aggregates: [p99, distinct]"},
		{"hopping6-sketches", "window: {hopping: 1h, every: 10m}, aggregates: [p99, distinct]"},
		{"session", "window: {session: 30s}"},
		{"session-sketches", "window: {session: 30s}, aggregates: [p99, distinct]"},
	} {
		b.Run(x.name, func(b *testing.B) {
			out := b.TempDir()
			views := filepath.Join(out, "views.yaml")
			if err := os.WriteFile(views, fmt.Appendf(nil, "views: [{name: v, %s}]", x.view), 0o644); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n, before := 0, cpu()
			for b.Loop() {
				n++
				if _, err := run(b, batch.Config{Lake: folder, Out: out, Views: views, Job: fmt.Sprint("job", n), Workers: 2}); err != nil {
					b.Fatal(err)
				}
			}
			rows := float64(n) * benchRows
			b.ReportMetric((cpu()-before)/rows, "cpu-ns/row")
			b.ReportMetric(rows/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

// BenchmarkOrdered is the first pass's reading alone.
func BenchmarkOrdered(b *testing.B) {
	dir, err := lake.Open(benchLake(b))
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	chain, err := dir.Chain(topic, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		o := scan.NewTimes(dir, chain.Manifests, 1<<62)
		for {
			r, err := o.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			rows += len(r.Offsets)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
