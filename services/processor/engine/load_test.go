package engine_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

const twoViews = `
time: {believed: {count: 2, of: 3}, punctuation: [me]}
views:
  - {name: ten, window: {tumbling: 10s}, lateness: 5s}
  - {name: hop, window: {hopping: 20s, every: 10s}, lateness: 0s}
`

const threeViews = twoViews + "  - {name: visits, window: {session: 4s}, lateness: 5s, aggregates: [p50, distinct]}\n"

func value(seq uint64, at, value int64) []byte {
	return event.AppendProto(nil, &event.Event{Producer: []byte("p"), Seq: seq, HasID: true, Key: []byte("k"), Time: at * second, Value: value})
}

func keyed(key string, at int64) []byte {
	return event.AppendProto(nil, &event.Event{Key: []byte(key), Time: at * second})
}

// transaction applies values from an offset on and returns what it wrote.
func transaction(e *engine.Engine, offset int64, values ...[]byte) []message {
	var log []oracle.Record
	for i, v := range values {
		log = append(log, oracle.Record{Offset: offset + int64(i), Value: v})
	}
	var out engine.Output
	if err := e.Apply(batch(log), &out); err != nil {
		panic(err)
	}
	e.Flush(&out)
	e.Commit()
	return messages(&out)
}

func changelog(list []message) []message {
	var kept []message
	for _, m := range list {
		if m.topic == engine.Changelog {
			kept = append(kept, m)
		}
	}
	return kept
}

// The bytes of version 2. A state written by one release is read by the next:
// other bytes need another version.
func TestChangelogGolden(t *testing.T) {
	e := engine.New(parse(t, threeViews), "events", 3)
	e.SetSource("id", 4)
	list := append(transaction(e, 7, value(1, 3, -5), value(4097, 14, 2), value(1, 3, -5)),
		transaction(e, 20, value(5, 15, 4), value(1<<21, 21, 1), []byte("?"))...)
	list = append(list, transaction(e, 30, value(1<<21+1, 12, 300))...)
	var got strings.Builder
	for _, m := range changelog(list) {
		v := "tombstone"
		if m.value != nil {
			v = strings.ReplaceAll(hex.EncodeToString(m.value), strings.Repeat("00", 32), "*")
		}
		got.WriteString(hex.EncodeToString(m.key) + " " + v + "\n")
	}
	golden, err := os.ReadFile("testdata/changelog-2.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(golden) {
		t.Errorf("changelog:\n%swant\n%s", got.String(), golden)
	}
}

func TestTransactionOfItsOwn(t *testing.T) {
	e := engine.New(parse(t, twoViews), "events", 0)
	list := transaction(e, 0, value(1, 3, 1), value(2, 4, 1), event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("me"), Watermark: 99 * second}))
	finals := 0
	for _, m := range list {
		switch m.topic {
		case engine.Results:
			finals++
			if x := decodeResult(t, m); x.Stage.String() != "final" {
				t.Errorf("a window opened and closed in one transaction gave %+v", x)
			}
		case engine.Changelog:
			if m.key[1] == 1 || m.key[1] == 2 {
				t.Errorf("the changelog knows a cell that no transaction left open: %q", m.key)
			}
		}
	}
	if finals != 3 {
		t.Errorf("%d rows, want 3", finals)
	}
	if list := transaction(e, 50); len(list) != 1 {
		t.Errorf("an empty transaction wrote %d records, want the meta record alone", len(list))
	}
}

func TestLoadedEmpty(t *testing.T) {
	e := engine.New(parse(t, twoViews), "events", 0)
	m, err := e.Loaded()
	if err != nil || m.Transaction != 0 || m.Next != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	transaction(e, 5, value(1, 3, 1))
}

func TestLoadedMeta(t *testing.T) {
	e := engine.New(parse(t, twoViews), "events", 0)
	e.SetSource("id", 4)
	list := append(transaction(e, 5, value(1, 3, 1), value(1, 3, 1)), transaction(e, 9, value(2, 44, 1), value(3, 45, 1))...)
	restored := engine.New(parse(t, twoViews), "events", 0)
	for _, m := range changelog(list) {
		if err := restored.Load(m.key, m.value); err != nil {
			t.Fatal(err)
		}
	}
	m, err := restored.Loaded()
	if err != nil {
		t.Fatal(err)
	}
	if m.Next != 11 || m.Transaction != 2 || m.TopicID != "id" || m.Partitions != 4 || m.Watermark != 44*second || m.Stats.Records != 4 {
		t.Errorf("%+v", m)
	}
	same(t, "stats", m.Stats, e.Stats())
	if restored.Dump() != e.Dump() {
		t.Error("the restored state differs")
	}
}

func TestChangedViews(t *testing.T) {
	e := engine.New(parse(t, twoViews), "events", 0)
	list := changelog(transaction(e, 5, value(1, 3, 1)))
	for _, c := range []struct {
		text                    string
		changed, new, gone, say string
		time                    bool
	}{
		{strings.Replace(twoViews, "lateness: 5s", "lateness: 6s", 1), "ten", "", "", `view "ten" has another definition`, false},
		{strings.Replace(twoViews, "every: 10s", "every: 4s", 1), "hop", "", "", "`parallax processor rebuild --view hop` to recompute", false},
		{threeViews, "", "visits", "", "`parallax processor reset --view visits` to start it anew", false},
		{twoViews[:strings.Index(twoViews, "  - {name: hop")], "", "", "hop", "`parallax processor reset --view hop` to drop it", false},
		{strings.Replace(twoViews, "name: hop", "name: hip", 1), "", "hip", "hop", `view "hip" is new, view "hop" of the state is not in`, false},
		{strings.Replace(twoViews, "count: 2", "count: 1", 1), "hop ten", "", "", "rules of time", true},
	} {
		other := engine.New(parse(t, c.text), "events", 0)
		for _, m := range list {
			if err := other.Load(m.key, m.value); err != nil {
				t.Fatal(err)
			}
		}
		_, err := other.Loaded()
		var v *engine.ViewsError
		if !errors.As(err, &v) {
			t.Fatalf("%s: %v", c.text, err)
		}
		got := []string{strings.Join(v.Changed, " "), strings.Join(v.New, " "), strings.Join(v.Gone, " ")}
		if !slices.Equal(got, []string{c.changed, c.new, c.gone}) || v.Time != c.time || len(v.State) != 2 ||
			!strings.HasPrefix(err.Error(), "the processor refuses to continue: ") || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %+v: %v", c.text, v, err)
		}
	}
	f := parse(t, twoViews) // the order in the file is no part of the question
	f.Views[0], f.Views[1] = f.Views[1], f.Views[0]
	if restore(t, f, 0, list).Dump() != e.Dump() {
		t.Error("another order of the views gave another state")
	}
}

// Whatever single record a changelog loses, it is noticed; so is a meta record
// or a cell of an earlier transaction in place of the last.
func TestLostRecord(t *testing.T) {
	e := engine.New(parse(t, twoViews), "events", 0)
	first := changelog(transaction(e, 0, value(1, 3, 1), value(9000, 4, 2)))
	second := changelog(transaction(e, 2, value(2, 4, 1), value(9001, 5, 2)))
	all := append(first, second...)
	kept := map[string]int{}
	for i, m := range all {
		kept[string(m.key)] = i
	}
	lost := 0
	for i, m := range all {
		if kept[string(m.key)] != i {
			continue // a later record replaces it
		}
		lost++
		other := engine.New(parse(t, twoViews), "events", 0)
		for k, n := range all {
			if k == i {
				continue
			}
			if err := other.Load(n.key, n.value); err != nil {
				t.Fatal(err)
			}
		}
		if meta, err := other.Loaded(); err == nil {
			t.Errorf("restored %+v without the record %x", meta, m.key)
		}
	}
	if lost != len(kept) || lost < 6 {
		t.Errorf("only %d records could be lost", lost)
	}
}

func TestForeignChangelog(t *testing.T) {
	hop := string(changelog(transaction(engine.New(parse(t, twoViews), "events", 0), 0, value(1, 3, 1)))[0].key)
	for _, c := range []struct{ key, value, want string }{
		{"", "", "form"},
		{"\x01\x00", "", "version 1, it was written by an earlier version"},
		{"\x01\x02p", "\x05", "another topic prefix and group"},
		{"\x03\x00", "", "version 3"},
		{"\x02\x09x", "", "kind 9"},
		{"\x02\x00", "", "form"},
		{"\x02\x01\x00", "", "form"},
		{hop, "", "form"},
		{hop, "\x00\x00\x00\x00\x00", "form"},                                // no event
		{hop, "\x01\x00\x00\x04\x02", "form"},                                // min above max
		{hop, "\x01\x00\x00\x00\x00\x00", "form"},                            // more than the view asks for
		{hop[:17] + "\x01k", "\x01\x00\x00\x00\x00", "form"},                 // not at a multiple of the hop
		{hop[:1] + "\x02" + hop[2:], "\x00\x04\x01\x00\x00\x00\x00", "form"}, // a session of a hopping view
		{"\x02\x03", "\x05", "form"},
		{"\x02\x03p", "", "form"},
		{"\x02\x04\x00\x00\x00\x00\x00\x00\x00\x00p", "short", "form"},
		{"\x02\x04\xff\x00\x00\x00\x00\x00\x00\x00p", strings.Repeat("x", 512), "form"},
		{"\x02\x03" + strings.Repeat("p", 65), "\x05", "form"},
	} {
		err := engine.New(parse(t, twoViews), "events", 0).Load([]byte(c.key), []byte(c.value))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot load the changelog record") {
			t.Errorf("%q %q: %v, want %q", c.key, c.value, err, c.want)
		}
	}
	e := engine.New(parse(t, twoViews), "events", 0)
	if err := e.Load([]byte("\x02\x03p"), []byte{5}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Loaded(); err == nil || !strings.Contains(err.Error(), "meta") {
		t.Errorf("a changelog without meta: %v", err)
	}
}

// A tombstone may leave the other cells of its window, although no transaction
// writes such a changelog today.
func TestTombstoneAmongCells(t *testing.T) {
	f := parse(t, "time: {believed: {count: 1, of: 1}, punctuation: [me]}\nviews: [{name: a, window: {tumbling: 10s}, lateness: 0s}]")
	key := func(k string) []byte {
		return event.AppendJSON(nil, &event.Event{Key: []byte(k), Time: second, Value: 1})
	}
	three, two := engine.New(f, "events", 0), engine.New(f, "events", 0)
	list := changelog(transaction(three, 0, key("a"), key("b"), key("c")))
	var gone []message
	for _, m := range list {
		if bytes.HasSuffix(m.key, []byte("b")) {
			gone = append(gone, message{key: m.key})
		}
	}
	meta := changelog(transaction(two, 0, key("a"), key("c")))
	restored := restore(t, f, 0, append(append(list, gone...), meta[len(meta)-1]))
	if restored.Dump() != two.Dump() {
		t.Errorf("%s, want\n%s", restored.Dump(), two.Dump())
	}
}

func TestMisuse(t *testing.T) {
	f := parse(t, twoViews)
	var out engine.Output
	one := batch([]oracle.Record{{Offset: 5, Value: value(1, 3, 1)}})
	two := batch([]oracle.Record{{Offset: 6, Value: value(1, 3, 1)}, {Offset: 7, Value: keyed("other", 3)}})
	for name, misuse := range map[string]func(*engine.Engine){
		"offset again":         func(e *engine.Engine) { e.MustApply(one, &out); e.MustApply(one, &out) },
		"apply after flush":    func(e *engine.Engine) { e.Flush(&out); e.MustApply(one, &out) },
		"flush twice":          func(e *engine.Engine) { e.Flush(&out); e.Flush(&out) },
		"commit without flush": func(e *engine.Engine) { e.MustApply(one, &out); e.Commit() },
		"load too late":        func(e *engine.Engine) { e.MustApply(one, &out); _ = e.Load(nil, nil) },
		"flush after a limit":  func(e *engine.Engine) { e.SetLimit(1); _ = e.Apply(two, &out); e.Flush(&out) },
		"apply while loading":  func(e *engine.Engine) { _ = e.Load([]byte("\x02\x03p"), []byte{5}); e.MustApply(one, &out) },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "BUG: ") {
					t.Errorf("%s: %q", name, s)
				}
			}()
			misuse(engine.New(f, "events", 0))
		}()
	}
}

// Any bytes as a changelog give an error or a state that holds together.
func FuzzLoad(f *testing.F) {
	fuzzLoading(f, func(e *engine.Engine) (next int64, ok bool) {
		m, err := e.Loaded()
		return m.Next, err == nil && m.Next <= view.Horizon
	})
}

// The same of a changelog that need not be whole, and of which less is refused.
func FuzzResume(f *testing.F) {
	fuzzLoading(f, func(e *engine.Engine) (next int64, ok bool) {
		_, err := e.Resume(engine.Where{Next: 7, Transaction: 3, Watermark: engine.NoWatermark})
		return 7, err == nil
	})
}

func fuzzLoading(f *testing.F, end func(*engine.Engine) (next int64, ok bool)) {
	file := parse(f, threeViews)
	pack := func(list []message) []byte {
		var b []byte
		for _, m := range changelog(list) {
			b = append(b, byte(len(m.key)))
			b = append(b, m.key...)
			n := len(m.value) + 1
			if m.value == nil {
				n = 0
			}
			b = append(append(b, byte(n>>8), byte(n)), m.value...)
		}
		return b
	}
	e := engine.New(file, "events", 0)
	first := transaction(e, 0, value(1, 3, 1), value(2, 4, 1))
	f.Add(pack(first))
	second := transaction(e, 2, value(1<<21, 44, 1), value(3, 45, 1), value(1<<21-1, 45, 7))
	f.Add(pack(append(first, second...)))
	key, reach := engine.Reach(5)
	torn := append(append(first, message{engine.Changelog, key, reach}), changelog(second)...)
	f.Add(pack(torn[:len(torn)-2]))
	key, made := engine.Made(2)
	f.Add(pack(append([]message{{engine.Changelog, key, made}}, torn...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := engine.New(file, "events", 0)
		for len(b) > 0 {
			k := min(int(b[0]), len(b)-1)
			key := b[1 : 1+k]
			if b = b[1+k:]; len(b) < 2 {
				break
			}
			n := int(b[0])<<8 | int(b[1])
			b = b[2:]
			var value []byte
			if n > 0 {
				n = min(n-1, len(b))
				value, b = b[:n:n], b[n:]
			}
			if e.Load(key, value) != nil {
				return
			}
		}
		next, ok := end(e)
		if !ok {
			return
		}
		before := e.Dump()
		var out engine.Output
		r := rand.New(rand.NewPCG(1, 1))
		log := randomLog(r, 0, 50)
		for i := range log {
			log[i].Offset = next + int64(i)
		}
		e.MustApply(batch(log), &out)
		e.Flush(&out)
		e.Rollback()
		if e.Dump() != before {
			t.Error("rollback changed the state")
		}
	})
}
