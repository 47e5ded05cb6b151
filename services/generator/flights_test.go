package generator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
	"parallax.example/internal/parquet"
)

var usual = Config{Brokers: "127.0.0.1:1", TopicPrefix: "t", Partitions: 4, Form: "proto", Ledger: "l", RunID: "r"}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Ensure that the embedded file is the one that flights/README.md describes.
func TestWeekIsTheDocumentedFile(t *testing.T) {
	digest := sha256.Sum256(week)
	if got, want := hex.EncodeToString(digest[:]), "6ac11d7c341bb7543c486123365f29db5d9706f7fbf04f245df426aae6609f35"; got != want {
		t.Errorf("SHA-256 %s, want %s", got, want)
	}
}

func TestWeek(t *testing.T) {
	s, err := newFlights(week, &usual)
	must(t, err)
	if s.len() != 116_493+4 {
		t.Fatalf("%d messages, want 116,493 events and 4 punctuations", s.len())
	}
	type cell struct {
		hour int64
		key  string
	}
	cells := map[cell]bool{}
	var sum, before int64
	var m message
	var buf []byte
	for i := range s.len() {
		m, buf = s.message(i, buf[:0])
		var r event.Record
		must(t, r.Decode(m.value))
		if s.due(i) < before {
			t.Fatalf("message %d is due before the one before it", i)
		}
		before = s.due(i)
		if i >= 116_493 {
			want := event.Record{Kind: event.KindPunctuation, Punctuation: event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark}}
			if diff := cmp.Diff(want, r); diff != "" || m.op != ledger.Punctuation || m.key != nil || int(m.partition) != i-116_493 {
				t.Fatalf("punctuation %+v %s", m, diff)
			}
			continue
		}
		e := &r.Event
		if m.op != ledger.Event || string(e.Producer) != "flights" || e.Seq != uint64(i) || !bytes.Equal(m.key, e.Key) ||
			m.partition != kafka.Partition(e.Key, 4) || s.due(i) != e.Time+e.Value*minute {
			t.Fatalf("message %d: %+v of %+v, due %d", i, m, e, s.due(i))
		}
		cells[cell{e.Time / (60 * minute), string(e.Key)}] = true
		sum += e.Value
	}
	if len(cells) != 16_460 || sum != 1_595_408 {
		t.Errorf("%d hourly cells with a sum of %d, want 16,460 and 1,595,408", len(cells), sum)
	}
}

// Ensure that the bytes per partition stay what they are: a change breaks the
// comparison of logs and the restart of a run.
func TestWeekBytes(t *testing.T) {
	f := func(form, first, want string) {
		t.Helper()
		c := usual
		c.Form = form
		s, err := newFlights(week, &c)
		must(t, err)
		m, _ := s.message(0, nil)
		if got := fmt.Sprintf("%q", m.value); got != first {
			t.Errorf("first message %s, want %s", got, first)
		}
		digests := [4]string{}
		for p := range digests {
			h := sha256.New()
			var buf []byte
			for i := range s.len() {
				if m, buf = s.message(i, buf[:0]); int(m.partition) == p {
					fmt.Fprintf(h, "%d %d %s %s ", len(m.key), len(m.value), m.key, m.value)
				}
			}
			digests[p] = hex.EncodeToString(h.Sum(nil)[:4])
		}
		if got := strings.Join(digests[:], " "); got != want {
			t.Errorf("%s: digests %s, want %s", form, got, want)
		}
	}
	f("proto", `"\n \n\aflights\x10\x00\x1a\x03SEA\"\x03IAH)\x00?\xc6\xc9j\x86\x03\x000%"`,
		"e820c519 fe0c153d 790649c6 3135eedd")
	f("json", `"{\"producer\":\"flights\",\"seq\":0,\"key\":\"SEA\",\"subject\":\"IAH\",\"event_time\":992218140000000,\"value\":-19}"`,
		"6a6dec6d 33117acc b040ad62 93c84ae8")
}

// flightsFile makes a file of the given columns; a nil text or time is a null.
func flightsFile(t testing.TB, schema parquet.Schema, rows ...[]any) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := parquet.NewWriter(&out, schema, parquet.Options{GroupRows: 7})
	must(t, err)
	batch := parquet.NewBatch(schema)
	for _, row := range rows {
		for c, v := range row {
			switch v := v.(type) {
			case nil:
				batch[c].AppendNull()
			case int:
				batch[c].AppendInt64(int64(v))
			case int64:
				batch[c].AppendInt64(v)
			case string:
				batch[c].AppendString(v)
			}
		}
	}
	must(t, w.Write(batch))
	must(t, w.Close())
	return out.Bytes()
}

var flightsSchema = parquet.Schema{
	{Name: "date", Kind: parquet.Timestamp, Optional: true},
	{Name: "delay", Kind: parquet.Int64, Optional: true},
	{Name: "origin", Kind: parquet.String, Optional: true},
	{Name: "destination", Kind: parquet.String, Optional: true},
}

func TestBadFlights(t *testing.T) {
	f := func(file []byte, want string) {
		t.Helper()
		if _, err := newFlights(file, &usual); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	good := []any{1_000_000, 5, "ATL", "LAX"}
	f(nil, "cannot")
	f([]byte("date,delay,origin\n"), "cannot")
	f(week[:len(week)-100], "cannot")
	f(flightsFile(t, flightsSchema), "no flights")
	f(flightsFile(t, flightsSchema[:3], good[:3]), `column "destination" is missing; a flights file has`)
	f(flightsFile(t, parquet.Schema{{Name: "date", Kind: parquet.String}, flightsSchema[1], flightsSchema[2], flightsSchema[3]}, []any{"1", 5, "A", "B"}), `column "date" has kind string`)
	f(flightsFile(t, flightsSchema, good, good, good, good, good, good, good, good, []any{1, nil, "ATL", "LAX"}), "row 8 has no delay")
	f(flightsFile(t, flightsSchema, good, []any{1, 5, nil, "LAX"}), "row 1 has no origin")
	f(flightsFile(t, flightsSchema, good, []any{nil, 5, "ATL", "LAX"}), "row 1 has no date")
	f(flightsFile(t, flightsSchema, good, []any{-1, 5, "ATL", "LAX"}), "row 1: the time -1 µs is not from 1970")
	f(flightsFile(t, flightsSchema, good, []any{1, 1 << 40, "ATL", "LAX"}), "row 1: a delay of 1099511627776 minutes")
	f(flightsFile(t, flightsSchema, good, []any{1, 5, "", "LAX"}), `column "origin": "" is no airport`)
	f(flightsFile(t, flightsSchema, good, []any{1, 5, "\xff", "LAX"}), "is no airport")
}

// Ensure that no bytes make the reader of --dataset panic.
func FuzzFlights(f *testing.F) {
	f.Add(flightsFile(f, flightsSchema, []any{1, 5, "ATL", "LAX"}, []any{2, -5, "LAX", "ATL"}))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := newFlights(file, &usual)
		if err != nil {
			return
		}
		m, _ := s.message(0, nil)
		var r event.Record
		must(t, r.Decode(m.value))
	})
}

// Ensure that a file in any order is replayed by known time, equal ones in the
// order of the file.
func TestFlightsAreSortedStably(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rows [][]any
		for i := range rapid.IntRange(1, 40).Draw(rt, "rows") {
			scheduled := rapid.Int64Range(0, 5).Draw(rt, "scheduled") + 100
			rows = append(rows, []any{scheduled * minute, rapid.IntRange(-3, 3).Draw(rt, "delay"), fmt.Sprint(i), "X"})
		}
		s, err := newFlights(flightsFile(t, flightsSchema, rows...), &usual)
		must(t, err)
		slices.SortStableFunc(rows, func(a, b []any) int {
			return int((a[0].(int64) + int64(a[1].(int)*minute) - b[0].(int64) - int64(b[1].(int)*minute)) / minute)
		})
		for i, row := range rows {
			m, _ := s.message(i, nil)
			if string(m.key) != row[2] {
				rt.Fatalf("event %d is row %s, want row %s", i, m.key, row[2])
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, form := range []string{"proto", "json"} {
		b.Run(form, func(b *testing.B) {
			c := usual
			c.Form = form
			s, err := newFlights(week, &c)
			must(b, err)
			var buf []byte
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_, buf = s.message(i, buf[:0])
				if i++; i == 116_493 {
					i = 0
				}
			}
		})
	}
}
