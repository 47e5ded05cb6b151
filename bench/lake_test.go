package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/services/batch"
	"parallax.example/services/batch/ingest"
	"parallax.example/services/batch/scan"
)

// perDensity runs a benchmark over a lake of few events per hour and over one
// of many.
func perDensity(b *testing.B, run func(b *testing.B, name string, l *log)) {
	b.Run("weeks", func(b *testing.B) { run(b, "proto", flights(b, "proto")) })
	b.Run("dense", func(b *testing.B) { run(b, dense, flights(b, dense)) })
}

func BenchmarkLakeWrite(b *testing.B) {
	perDensity(b, func(b *testing.B, name string, l *log) {
		c, prefix := topic(b, name)
		m := begin(b)
		for b.Loop() {
			m.pause()
			to := newLake()
			m.resume()
			write(b, c, prefix, to, l)
			m.pause()
			must(b, os.RemoveAll(to))
			m.resume()
		}
		m.end(b.N * l.events)
	})
}

func newLake() string { return filepath.Join(folder, newPrefix()) }

// write brings a topic into a new lake.
func write(b *testing.B, c kafka.Config, prefix, to string, l *log) {
	b.Helper()
	g, err := ingest.New(ingest.Config{
		Brokers: c.Brokers, TopicPrefix: prefix, Lake: to, Group: filepath.Base(to), Instance: "bench",
		Rows: 524288, Bytes: 64 << 20, Span: 10 * time.Minute, Session: 45 * time.Second, ToEnd: true,
	}, ingest.Deps{})
	must(b, err)
	must(b, g.Run(b.Context()))
	if n := g.Counters().Rows.Load(); n != int64(l.events) {
		b.Fatalf("%d of %d events are in the lake", n, l.events)
	}
}

// lakes by log, written once for those who only read them.
var lakes = map[string]string{}

// openLake returns the lake that holds a log, and its topic.
func openLake(b *testing.B, name string) (dir *lake.Dir, topicName string) {
	b.Helper()
	c, prefix := topic(b, name)
	if lakes[name] == "" {
		to := newLake()
		write(b, c, prefix, to, flights(b, name))
		lakes[name] = to
	}
	dir, err := lake.Open(lakes[name])
	must(b, err)
	b.Cleanup(func() { dir.Close() })
	return dir, kafka.NewTopics(prefix).Events
}

func BenchmarkBatchScan(b *testing.B) {
	perDensity(b, func(b *testing.B, name string, l *log) {
		dir, topicName := openLake(b, name)
		chains, err := dir.Chains(topicName)
		must(b, err)
		m := begin(b)
		for b.Loop() {
			rows := 0
			for _, chain := range chains {
				end, _ := chain.Next()
				splits, err := scan.Splits(dir, chain.Manifests, end)
				must(b, err)
				for _, split := range splits {
					for _, piece := range split {
						n, err := read(dir, piece)
						must(b, err)
						rows += n
					}
				}
			}
			if rows != l.events {
				b.Fatalf("%d of %d rows were read", rows, l.events)
			}
		}
		m.end(b.N * l.events)
	})
}

// read decodes the columns that a job needs.
func read(dir *lake.Dir, p scan.Piece) (rows int, err error) {
	c, err := scan.Open(dir, p)
	if err != nil {
		return 0, err
	}
	for {
		n, err := c.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		for _, column := range []int{scan.Offset, scan.Time, scan.Value, scan.Seq} {
			if _, err := c.Int64(column); err != nil {
				return rows, err
			}
		}
		for _, column := range []int{scan.Key, scan.Producer} {
			if _, err := c.Codes(column); err != nil {
				return rows, err
			}
		}
		rows += n
	}
}

func BenchmarkBatchRun(b *testing.B) {
	perDensity(b, func(b *testing.B, name string, l *log) {
		dir, _ := openLake(b, name)
		out := b.TempDir()
		n := 0
		m := begin(b)
		for b.Loop() {
			n++
			job, err := batch.New(batch.Config{Lake: dir.Folder(), Out: out, Views: viewsFile, Job: fmt.Sprint("job", n)}, batch.Deps{})
			must(b, err)
			_, err = job.Run(b.Context())
			must(b, err)
		}
		m.end(b.N * l.events)
	})
}
