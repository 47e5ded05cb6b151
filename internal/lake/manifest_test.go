package lake_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/lake"
)

var update = flag.Bool("update", false, "write the golden file")

const golden = "testdata/manifest.json"

func example() *lake.Manifest {
	m := &lake.Manifest{
		Version: lake.Version, Topic: "parallax.events", TopicID: "AAAAAAAAAAEAAAAAAAAAAQ", Partitions: 4, Partition: 3,
		First: 100, Start: 1000, End: 1010,
		Counts: lake.Counts{Records: 6, Events: 3, DeadLetters: 2, Punctuations: 1},
		Files: []lake.File{
			{Path: "events/dt=1970-01-01/hour=00/parallax.events-3-1000-1010-0123456789abcdef.parquet", Size: 812, SHA256: strings.Repeat("0a", 32), Rows: 1, MinOffset: 1000, MaxOffset: 1000},
			{Path: "events/dt=2001-01-31/hour=23/parallax.events-3-1000-1010-0123456789abcdef.parquet", Size: 913, SHA256: strings.Repeat("0b", 32), Rows: 2, MinOffset: 1003, MaxOffset: 1009, MinEventTime: 980982000000000, MaxEventTime: 980985599999999},
		},
		DeadLetters:  []lake.DeadLetter{{Offset: 1004, Reason: "empty", Detail: "no bytes"}, {Offset: 1006, Reason: "malformed", Detail: "<a> & \"b\"\u2028\x01", Size: 5}},
		Punctuations: []lake.Punctuation{{Offset: 1008, Sender: "generator", Watermark: 253402300799000000}},
		Writer:       "parallax-ingest/a", Created: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
	}
	m.IDs.Add(lake.HashProducer([]byte("gate-1")), 17)
	m.IDs.Add(lake.HashProducer([]byte("gate-1")), 18)
	return m
}

// The manifest's form is read by programs of other versions: it changes only
// together with lake.Version.
func TestGolden(t *testing.T) {
	b, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(b)); diff != "" {
		t.Errorf("the manifest's form has changed (-want +got):\n%s", diff)
	}
	m, err := lake.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), m); diff != "" {
		t.Errorf("it reads otherwise than it was written (-want +got):\n%s", diff)
	}
}

// Every contradiction within a manifest is refused, by its writer and its reader.
func TestContradictions(t *testing.T) {
	f := func(what string, harm func(m *lake.Manifest)) {
		t.Helper()
		m := example()
		harm(m)
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: encoded", what)
		}
	}
	f("version", func(m *lake.Manifest) { m.Version++ })
	f("topic", func(m *lake.Manifest) { m.Topic = "../x" })
	f("topic id", func(m *lake.Manifest) { m.TopicID = "" })
	f("partition", func(m *lake.Manifest) { m.Partition = 4 })
	f("negative partition", func(m *lake.Manifest) { m.Partition = -1 })
	f("first after start", func(m *lake.Manifest) { m.First = 1001 })
	f("negative first", func(m *lake.Manifest) { m.First = -1 })
	f("empty range", func(m *lake.Manifest) { m.End = m.Start })
	f("null list", func(m *lake.Manifest) { m.DeadLetters = nil })
	f("local time", func(m *lake.Manifest) { m.Created = m.Created.In(time.FixedZone("x", 3600)) })
	f("file order", func(m *lake.Manifest) { m.Files[0], m.Files[1] = m.Files[1], m.Files[0] })
	f("file twice", func(m *lake.Manifest) { m.Files[1] = m.Files[0] })
	f("file of another range", func(m *lake.Manifest) { m.Files[0].Path = strings.Replace(m.Files[0].Path, "-1010-", "-1011-", 1) })
	f("file without id", func(m *lake.Manifest) { m.Files[0].Path = strings.Replace(m.Files[0].Path, "0123456789abcdef", "", 1) })
	f("time out of the hour", func(m *lake.Manifest) { m.Files[0].MaxEventTime = 3600e6 })
	f("time before 1970", func(m *lake.Manifest) { m.Files[0].MinEventTime = -1 })
	f("offset below", func(m *lake.Manifest) { m.Files[0].MinOffset = 999 })
	f("offset above", func(m *lake.Manifest) { m.Files[1].MaxOffset = 1010 })
	f("no rows", func(m *lake.Manifest) { m.Files[0].Rows = 0; m.Counts.Events--; m.Counts.Records-- })
	f("too many rows", func(m *lake.Manifest) { m.Files[0].Rows = 2; m.Counts.Events++; m.Counts.Records++ })
	f("size", func(m *lake.Manifest) { m.Files[0].Size = 0 })
	f("hash", func(m *lake.Manifest) { m.Files[0].SHA256 = strings.Repeat("0A", 32) })
	f("dead letter order", func(m *lake.Manifest) { m.DeadLetters[1].Offset = 1004 })
	f("dead letter range", func(m *lake.Manifest) { m.DeadLetters[1].Offset = 1010 })
	f("dead letter reason", func(m *lake.Manifest) { m.DeadLetters[1].Reason = "" })
	f("dead letter detail", func(m *lake.Manifest) { m.DeadLetters[1].Detail = strings.Repeat("x", lake.MaxDetail+1) })
	f("dead letter text", func(m *lake.Manifest) { m.DeadLetters[1].Detail = "\xff" })
	f("punctuation range", func(m *lake.Manifest) { m.Punctuations[0].Offset = 999 })
	f("punctuation sender", func(m *lake.Manifest) { m.Punctuations[0].Sender = "" })
	f("count of dead letters", func(m *lake.Manifest) { m.Counts.DeadLetters++ })
	f("count of events", func(m *lake.Manifest) { m.Counts.Events++; m.Counts.Records++ })
	f("count of records", func(m *lake.Manifest) { m.Counts.Records++ })
	f("ids", func(m *lake.Manifest) { m.IDs.IDs = 4 })
}

// The digest does not depend on order or split, and tells multisets apart.
func TestDigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.Uint64Range(0, 20), 1, 30).Draw(t, "seqs")
		producer := lake.HashProducer([]byte(rapid.String().Draw(t, "producer")))
		digest := func(ids []uint64) (d lake.Digest) {
			for _, seq := range ids {
				d.Add(producer, seq)
			}
			return d
		}
		whole := digest(ids)
		split := rapid.IntRange(0, len(ids)).Draw(t, "split")
		merged := digest(ids[split:])
		merged.Merge(digest(ids[:split]))
		if merged != whole {
			t.Fatalf("merged %+v, whole %+v", merged, whole)
		}
		ids[split%len(ids)]++
		if other := digest(ids); other.Sum == whole.Sum || other.Xor == whole.Xor {
			t.Fatalf("another multiset has the same digest: %+v", other)
		}
	})
}

func FuzzDecode(f *testing.F) {
	b, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := lake.Decode(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "cannot decode manifest: ") {
				t.Errorf("the error does not say what failed: %v", err)
			}
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("decoded, it is encoded as\n%s\nwith error %v", again, err)
		}
		for _, file := range m.Files {
			if !strings.HasPrefix(file.Path, "events/dt=") || strings.Contains(file.Path, "..") && !strings.Contains(m.Topic, "..") {
				t.Errorf("path %q", file.Path)
			}
		}
	})
}
