package loop

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parallax.example/internal/event"
)

// Ensure that both ways to read a message see the same event.
func TestScan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := event.Event{
			Producer: []byte("flights"), Seq: rapid.Uint64().Draw(rt, "seq"), HasID: rapid.Bool().Draw(rt, "id"),
			Key:     []byte(rapid.StringMatching("[A-Z]{1,5}").Draw(rt, "key")),
			Subject: []byte(rapid.StringMatching("[A-Z]{0,5}").Draw(rt, "subject")),
			Time:    rapid.Int64Range(0, 1<<52).Draw(rt, "time"), Value: rapid.Int64Range(-1<<40, 1<<40).Draw(rt, "value"),
		}
		message := event.AppendJSON(nil, &e)
		key, time, value := scan(message)
		var want Event
		if err := json.Unmarshal(message, &want); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, Event{string(key), time, value}); diff != "" {
			rt.Fatalf("%s: %s", message, diff)
		}
	})
}

// Ensure that a flush writes each changed cell once, closed cells are forgotten,
// and late and bodiless messages count nowhere.
func TestState(t *testing.T) {
	for _, byHand := range []bool{false, true} {
		s := New(Options{Window: 10, Lateness: 20, Scan: byHand})
		add := func(key string, time, value int64) {
			t.Helper()
			if err := s.Add(fmt.Appendf(nil, `{"producer":"p","seq":1,"key":%q,"subject":"","event_time":%d,"value":%d}`, key, time, value)); err != nil {
				t.Fatal(err)
			}
		}
		flush := func() (rows []string) {
			if err := s.Flush(func(_ string, row []byte) error { rows = append(rows, string(row)); return nil }); err != nil {
				t.Fatal(err)
			}
			return rows
		}
		add("A", 1, 5)
		add("A", 9, -7)
		add("B", 12, 1)
		if err := s.Add([]byte(`{"sender":"generator","watermark":5}`)); err != nil {
			t.Fatal(err)
		}
		want := []string{`{"key":"A","start":0,"count":2,"sum":-2,"min":-7,"max":5}`, `{"key":"B","start":10,"count":1,"sum":1,"min":1,"max":1}`}
		if diff := cmp.Diff(want, flush()); diff != "" {
			t.Error(diff)
		}
		add("A", 29, 1) // the window [0, 10) is open until 30
		add("A", 2, 1)
		add("A", 30, 1)
		add("A", 3, 1) // late
		want = []string{
			`{"key":"A","start":20,"count":1,"sum":1,"min":1,"max":1}`,
			`{"key":"A","start":0,"count":3,"sum":-1,"min":-7,"max":5}`,
			`{"key":"A","start":30,"count":1,"sum":1,"min":1,"max":1}`,
		}
		if diff := cmp.Diff(want, flush()); diff != "" {
			t.Error(diff)
		}
		add("A", 60, 1)
		flush()
		if len(s.cells) != 1 || s.cells[place{"A", 60}] == nil {
			t.Errorf("open cells %v, want that of 60 only", s.cells)
		}
	}
}
