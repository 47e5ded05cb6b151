package generator

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/event"
	"parallax.example/internal/ledger"
	"parallax.example/internal/parquet"
)

var logSchema = parquet.Schema{
	{Name: "partition", Kind: parquet.Int32},
	{Name: "offset", Kind: parquet.Int64},
	{Name: "timestamp", Kind: parquet.Int64},
	{Name: "key", Kind: parquet.Bytes, Optional: true},
	{Name: "value", Kind: parquet.Bytes, Optional: true},
}

// Ensure that a recorded log is sent again byte for byte, with nulls, poison
// and duplicates, and that the ledger says what is what.
func TestReplayLog(t *testing.T) {
	e := func(seq uint64, value int64) string {
		return string(event.AppendProto(nil, &event.Event{Producer: []byte("p"), Seq: seq, HasID: true, Key: []byte("k"), Value: value}))
	}
	anonymous := `{"key":"k","event_time":1,"value":2}`
	end := string(event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("generator"), Watermark: 5}))
	c := newConfig(t)
	c.Log = filepath.Join(t.TempDir(), "events.parquet")
	must(t, os.WriteFile(c.Log, flightsFile(t, logSchema,
		[]any{1, 9, 1300, nil, end},
		[]any{1, 2, 1010, "k", e(1, 10)},
		[]any{0, 0, 1200, "k", e(1, 11)}, // another partition: no duplicate
		[]any{0, 1, 1100, "k", anonymous},
		[]any{0, 2, 1250, "k", anonymous},
		[]any{1, 3, 1000, "", e(2, 20)}, // its time goes back
		[]any{1, 5, 1020, "other", e(1, 12)},
		[]any{2, 7, 1001, nil, nil},
		[]any{2, 8, 1001, nil, ""},
		[]any{2, 9, 1001, "x", "garbage"},
	), 0o600))
	g := newGenerator(t, c)
	s, err := g.Run(t.Context())
	must(t, err)
	if diff := cmp.Diff(Summary{Intents: 10, Generated: 5, Duplicated: 1, Poisoned: 3, Punctuations: 1, OK: 10, Ends: []int64{3, 4, 3, 0}}, s); diff != "" {
		t.Error(diff)
	}
	want := [][]found{
		{{key: "k", value: e(1, 11)}, {key: "k", value: anonymous}, {key: "k", value: anonymous}},
		{{key: "k", value: e(1, 10)}, {key: "", value: e(2, 20)}, {key: "other", value: e(1, 12)}, {value: end}},
		{{null: true}, {value: ""}, {key: "x", value: "garbage"}},
		nil,
	}
	equal(t, untimed(readLog(t, c)), want)
	var ops []string
	_, err = ledger.Walk(c.Ledger, func(i *ledger.Intent, _ *ledger.Outcome) error {
		ops = append(ops, fmt.Sprintf("%d %s", i.Partition, i.Op))
		return nil
	})
	must(t, err)
	if diff := cmp.Diff([]string{"2 poison", "2 poison", "2 poison", "1 event", "1 event", "1 duplicate", "0 event", "0 event", "0 event", "1 punctuation"}, ops); diff != "" {
		t.Error(diff)
	}
}

func TestBadLogs(t *testing.T) {
	f := func(want string, schema parquet.Schema, rows ...[]any) {
		t.Helper()
		if _, err := newRecorded(flightsFile(t, schema, rows...), &usual); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("no records", logSchema)
	f(`column "value" is missing`, logSchema[:4], []any{0, 0, 0, "k"})
	f("partition 4; send them to a topic with more than 4", logSchema, []any{4, 0, 0, "k", "v"})
	f("offset 3 twice", logSchema, []any{0, 3, 0, "k", "v"}, []any{0, 3, 0, "k", "v"})
	f("row 1 has no valid offset", logSchema, []any{0, 3, 0, "k", "v"}, []any{0, -3, 0, "k", "v"})
	f("row 0 has no valid timestamp", logSchema, []any{0, 3, -1, "k", "v"})
}

// Ensure that a message which cannot be sent is a failure of the run, in the
// ledger and in the error, and never silence.
func TestTooLargeFails(t *testing.T) {
	c := newConfig(t)
	c.Log = filepath.Join(t.TempDir(), "events.parquet")
	must(t, os.WriteFile(c.Log, flightsFile(t, logSchema,
		[]any{0, 0, 1000, "k", "small"},
		[]any{0, 1, 1001, "k", strings.Repeat("x", 2_000_000)},
	), 0o600))
	s, err := newGenerator(t, c).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "2000") || s.Failed != 1 || s.OK != 1 {
		t.Errorf("%v, %+v", err, s)
	}
}

// Ensure that no bytes make the reader of --log panic.
func FuzzLog(f *testing.F) {
	f.Add(flightsFile(f, logSchema, []any{1, 9, 1300, nil, "v"}, []any{0, 2, 1010, "k", nil}))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := newRecorded(file, &usual)
		if err == nil && s.len() == 0 {
			t.Error("a log without records and without an error")
		}
	})
}
