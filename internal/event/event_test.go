package event_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"parallax.example/internal/event"
)

func flight() event.Event {
	return event.Event{Producer: []byte("flights"), Seq: 41, HasID: true, Key: []byte("JFK"), Subject: []byte("LAX"), Time: 992217600000000, Value: -3}
}

// Golden bytes: producers in other languages and old logs depend on them.
func TestGolden(t *testing.T) {
	e, p := flight(), event.Punctuation{Sender: []byte("generator"), Watermark: event.MaxWatermark}
	for _, c := range []struct {
		name      string
		got, want string
	}{
		{"event", hex.EncodeToString(event.AppendProto(nil, &e)), "0a200a07666c696768747310291a034a464b22034c415829008096a96a8603003005"},
		{"event as JSON", string(event.AppendJSON(nil, &e)), `{"producer":"flights","seq":41,"key":"JFK","subject":"LAX","event_time":992217600000000,"value":-3}`},
		{"punctuation", hex.EncodeToString(event.AppendPunctuationProto(nil, &p)), "12140a0967656e657261746f7211c01d64cc0c448403"},
		{"punctuation as JSON", string(event.AppendPunctuationJSON(nil, &p)), `{"sender":"generator","watermark":253402300799000000}`},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("x", 257)
	f := func(in string, want event.Reason) {
		t.Helper()
		var r event.Record
		err := r.Decode([]byte(in))
		var inv *event.Invalid
		if !errors.As(err, &inv) || inv.Reason != want {
			t.Errorf("%.60q: got %v, want reason %q", in, err, want)
		}
		if r.Kind != 0 {
			t.Errorf("%.60q: a refused message left a record behind", in)
		}
	}
	f("", event.Empty)
	f("hello", event.UnknownForm)
	f("[1]", event.UnknownForm)
	f("{", event.Malformed)
	f("{}", event.Missing)
	f(`{"key":"a","event_time":1,"value":1} x`, event.Malformed)
	f(`{"key":"a","event_time":1,"value":1}{}`, event.Malformed)
	f(`{"key":"a","event_time":1}`, event.Missing)
	f(`{"key":"a","value":1}`, event.Missing)
	f(`{"event_time":1,"value":1}`, event.Missing)
	f(`{"key":"","event_time":1,"value":1}`, event.Missing)
	f(`{"key":null,"event_time":1,"value":1}`, event.Missing)
	f(`{"Key":"a","event_time":1,"value":1}`, event.Missing) // names are exact
	f(`{"key":7,"event_time":1,"value":1}`, event.Malformed)
	f(`{"key":"a","event_time":1,"value":1.5}`, event.OutOfRange)
	f(`{"key":"a","event_time":1,"value":1e3}`, event.OutOfRange)
	f(`{"key":"a","event_time":1,"value":9223372036854775808}`, event.OutOfRange)
	f(`{"key":"a","event_time":1,"value":NaN}`, event.Malformed)
	f(`{"key":"a","event_time":1,"value":01}`, event.Malformed)
	f(`{"key":"a","event_time":-1,"value":1}`, event.OutOfRange)
	f(`{"key":"a","event_time":-0.5,"value":1}`, event.OutOfRange)
	f(`{"key":"a","event_time":7258118400000000,"value":1}`, event.OutOfRange)
	f(`{"key":"a","event_time":"2200-01-01T00:00:00Z","value":1}`, event.OutOfRange)
	f(`{"key":"a","event_time":"yesterday","value":1}`, event.Malformed)
	f(`{"key":"a","event_time":1e15,"value":1}`, event.Malformed)
	f(`{"producer":"p","key":"a","event_time":1,"value":1}`, event.Incomplete)
	f(`{"seq":1,"key":"a","event_time":1,"value":1}`, event.Incomplete)
	f(`{"producer":"","seq":1,"key":"a","event_time":1,"value":1}`, event.Missing)
	f(`{"producer":"p","seq":-1,"key":"a","event_time":1,"value":1}`, event.OutOfRange)
	f(`{"producer":"p","seq":18446744073709551616,"key":"a","event_time":1,"value":1}`, event.OutOfRange)
	f(`{"key":"`+long+`","event_time":1,"value":1}`, event.TooLong)
	f(`{"key":"a","subject":"`+long+`","event_time":1,"value":1}`, event.TooLong)
	f(`{"producer":"`+long+`","seq":1,"key":"a","event_time":1,"value":1}`, event.TooLong)
	f("{\"key\":\"\xff\",\"event_time\":1,\"value\":1}", event.NotUTF8)
	f(`{"key":"\ud800","event_time":1,"value":1}`, event.NotUTF8)
	f(`{"key":"\udfff","event_time":1,"value":1}`, event.NotUTF8)
	f(`{"key":"\ud800\ud800","event_time":1,"value":1}`, event.NotUTF8)
	f(`{"key":"\ud800x\udc00","event_time":1,"value":1}`, event.NotUTF8)
	f(`{"key":"a","event_time":1,"value":1,"watermark":1}`, event.Undecided)
	f(`{"sender":"g"}`, event.Missing)
	f(`{"watermark":1}`, event.Missing)
	f(`{"sender":"g","watermark":253402300799000001}`, event.OutOfRange)
	f(`{"key":"a","event_time":1,"value":1`+strings.Repeat(" ", event.MaxMessage)+`}`, event.TooLong)
	f("\x0a", event.Malformed)
	f("\x0a\x02\x0a", event.Malformed)
	f("\x0a\x00\x0a\x00", event.Missing)
	f("\x12\x00", event.Missing)

	e := flight()
	whole := event.AppendProto(nil, &e)
	for n := 1; n < len(whole); n++ {
		f(string(whole[:n]), event.Malformed)
	}
	f(string(whole)+string(whole), event.Undecided)
}

func TestDecodeAccepts(t *testing.T) {
	f := func(in string, want event.Event) {
		t.Helper()
		var r event.Record
		if err := r.Decode([]byte(in)); err != nil {
			t.Errorf("%s: %v", in, err)
			return
		}
		if show(r.Event) != show(want) || r.Kind != event.KindEvent {
			t.Errorf("%s: got %s, want %s", in, show(r.Event), show(want))
		}
	}
	a := event.Event{Key: []byte("a"), Time: 1, Value: 2}
	f(`{"key":"a","event_time":1,"value":2}`, a)
	f(` {`[1:]+"\n\t \"value\" : 2 , \"event_time\":1,\r\"key\":\"a\" } \n", a)
	f(`{"key":"a","event_time":1.999,"value":2}`, a)                                    // finer digits are cut off
	f(`{"key":"a","event_time":"1970-01-01T00:00:00.000001999Z","value":2}`, a)         // here too
	f(`{"key":"a","event_time":"1970-01-01T01:00:00.000001+01:00","value":2}`, a)       // any zone
	f(`{"key":"a","event_time":1,"value":2,"extra":{"x":[1,null]},"producer":null}`, a) // unknown names, null
	f(`{"key":"\u0061","event_time":1,"value":2}`, a)                                   // escapes
	f(`{"key":"b","key":"a","event_time":1,"value":2}`, a)                              // the last counts
	f(`{"key":"b","k\u0065y":"a","event_time":1,"value":2}`, a)                         // also by the slow way
	f(`{"event_time":1,"subject":"","key":"a","value":2}`, a)
	f(`{"key":"\ud83d\ude00 \\ud800 \ufffd","event_time":1,"value":2}`, event.Event{Key: []byte("😀 \\ud800 \uFFFD"), Time: 1, Value: 2})
	f(`{"key":"a","event_time":0,"value":-9223372036854775808}`, event.Event{Key: []byte("a"), Value: math.MinInt64})
	f(`{"producer":"p","seq":18446744073709551615,"key":"a","event_time":1,"value":2}`,
		event.Event{Producer: []byte("p"), Seq: math.MaxUint64, HasID: true, Key: []byte("a"), Time: 1, Value: 2})
}

// show prints nil and empty texts alike, so that equal records print equally.
func show(v any) string { return fmt.Sprintf("%+v", v) }

// anyEvent draws an event within the limits.
func anyEvent(t *rapid.T) event.Event {
	e := event.Event{
		Key:     []byte(rapid.StringN(1, 64, event.MaxKey).Draw(t, "key")),
		Subject: []byte(rapid.StringN(0, 64, event.MaxSubject).Draw(t, "subject")),
		Time:    rapid.Int64Range(event.MinTime, event.EndTime-1).Draw(t, "time"),
		Value:   rapid.Int64().Draw(t, "value"),
	}
	if rapid.Bool().Draw(t, "id") {
		e.HasID, e.Seq = true, rapid.Uint64().Draw(t, "seq")
		e.Producer = []byte(rapid.StringN(1, 16, event.MaxProducer).Draw(t, "producer"))
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent(t)
		for _, b := range [][]byte{event.AppendProto(nil, &e), event.AppendJSON(nil, &e)} {
			var r event.Record
			if err := r.Decode(b); err != nil {
				t.Fatalf("%q: %v", b, err)
			}
			if got, want := show(r.Event), show(e); got != want {
				t.Fatalf("%q: got %s, want %s", b, got, want)
			}
		}
		p := event.Punctuation{
			Sender:    []byte(rapid.StringN(1, 16, event.MaxSender).Draw(t, "sender")),
			Watermark: rapid.Int64Range(0, event.MaxWatermark).Draw(t, "watermark"),
		}
		for _, b := range [][]byte{event.AppendPunctuationProto(nil, &p), event.AppendPunctuationJSON(nil, &p)} {
			var r event.Record
			if err := r.Decode(b); err != nil || r.Kind != event.KindPunctuation || !bytes.Equal(r.Punctuation.Sender, p.Sender) || r.Punctuation.Watermark != p.Watermark {
				t.Fatalf("%q: got %v, %v", b, r.Punctuation, err)
			}
		}
	})
}

// schema compiles event.proto, so that the hand-written codec is held against
// the file that other languages use.
func schema(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()
	c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"."}}}
	files, err := c.Compile(context.Background(), "event.proto")
	if err != nil {
		tb.Fatal(err)
	}
	return files[0].Messages().ByName("Record")
}

// official decodes by the Protobuf library.
func official(d protoreflect.MessageDescriptor, b []byte) (event.Record, error) {
	m := dynamicpb.NewMessage(d)
	if err := proto.Unmarshal(b, m); err != nil {
		return event.Record{}, err
	}
	var r event.Record
	if f := d.Fields().ByName("event"); m.Has(f) {
		e := m.Get(f).Message()
		get := func(name protoreflect.Name) protoreflect.Value { return e.Get(e.Descriptor().Fields().ByName(name)) }
		r.Kind = event.KindEvent
		r.Event = event.Event{
			Producer: []byte(get("producer").String()), Seq: get("seq").Uint(), HasID: e.Has(e.Descriptor().Fields().ByName("seq")),
			Key: []byte(get("key").String()), Subject: []byte(get("subject").String()),
			Time: get("event_time").Int(), Value: get("value").Int(),
		}
	}
	if f := d.Fields().ByName("punctuation"); m.Has(f) {
		p := m.Get(f).Message()
		r.Kind = event.KindPunctuation
		r.Punctuation.Sender = []byte(p.Get(p.Descriptor().Fields().ByName("sender")).String())
		r.Punctuation.Watermark = p.Get(p.Descriptor().Fields().ByName("watermark")).Int()
	}
	return r, nil
}

func TestOfficialLibraryReadsOurs(t *testing.T) {
	d := schema(t)
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent(t)
		b := event.AppendProto(nil, &e)
		r, err := official(d, b)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := show(r.Event), show(e); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

// FuzzDecode: total, equal to the official Protobuf library where both accept,
// and stable under re-encoding in both forms.
func FuzzDecode(f *testing.F) {
	e, p := flight(), event.Punctuation{Sender: []byte("g"), Watermark: 7}
	f.Add(event.AppendProto(nil, &e))
	f.Add(event.AppendJSON(nil, &e))
	f.Add(event.AppendPunctuationProto(nil, &p))
	f.Add(event.AppendPunctuationJSON(nil, &p))
	f.Add([]byte(`{"key":"a\n","event_time":"2001-06-11T00:00:00.5+02:00","value":2,"x":[{}]}`))
	d := schema(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var r event.Record
		if err := r.Decode(b); err != nil {
			var inv *event.Invalid
			if !errors.As(err, &inv) || r.Kind != 0 {
				t.Fatalf("refused as %v, left %v", err, r)
			}
			return
		}
		if b[0] != '{' {
			want, err := official(d, b)
			if err != nil {
				t.Fatalf("the Protobuf library refuses what we accept: %v", err)
			}
			if show(want) != show(r) {
				t.Fatalf("got %s, the Protobuf library reads %s", show(r), show(want))
			}
		}
		var again [][]byte
		if r.Kind == event.KindEvent {
			again = [][]byte{event.AppendProto(nil, &r.Event), event.AppendJSON(nil, &r.Event)}
		} else {
			again = [][]byte{event.AppendPunctuationProto(nil, &r.Punctuation), event.AppendPunctuationJSON(nil, &r.Punctuation)}
		}
		for _, a := range again {
			var s event.Record
			if err := s.Decode(a); err != nil || show(s) != show(r) {
				t.Fatalf("re-encoded as %q: %s, %v; was %s", a, show(s), err, show(r))
			}
		}
	})
}

func TestNoAllocations(t *testing.T) {
	e := flight()
	for name, b := range map[string][]byte{
		"protobuf": event.AppendProto(nil, &e),
		"json":     event.AppendJSON(nil, &e),
		"rfc3339":  []byte(`{"key":"JFK","subject":"LAX","event_time":"2001-06-11T00:00:00.25Z","value":14}`),
		"zone":     []byte(`{ "value": 14, "unit": "min", "event_time": "2001-06-11T02:00:00.250000+02:00", "key": "Zürich" }`),
	} {
		var r event.Record
		if n := testing.AllocsPerRun(100, func() {
			if err := r.Decode(b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations per event, want 0", name, n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	e := flight()
	run := func(name string, encode func([]byte) []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = encode(buf[:0])
			}
		})
	}
	run("protobuf", func(dst []byte) []byte { return event.AppendProto(dst, &e) })
	run("json", func(dst []byte) []byte { return event.AppendJSON(dst, &e) })
}

// BenchmarkDecode reads many messages of differing lengths, as real ones are: the
// processor would learn a single one by heart.
func BenchmarkDecode(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	events := make([]event.Event, 1<<13)
	for i := range events {
		events[i] = event.Event{
			Producer: []byte("flights"), Seq: random.Uint64() >> (40 + random.IntN(20)), HasID: true,
			Key: []byte("JFK"), Subject: []byte("N12345"[:1+random.IntN(6)]),
			Time: 992217600000000 + random.Int64N(1e9)*60e6%1e15, Value: int64(random.NormFloat64() * 30),
		}
	}
	run := func(name string, encode func([]byte, *event.Event) []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			messages := make([][]byte, len(events))
			for i := range events {
				messages[i] = encode(nil, &events[i])
			}
			var r event.Record
			for i := 0; b.Loop(); i++ {
				if err := r.Decode(messages[i%len(messages)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("protobuf", event.AppendProto)
	run("json", event.AppendJSON)
	run("rfc3339", func(dst []byte, e *event.Event) []byte {
		return fmt.Appendf(dst, `{"producer":%q,"seq":%d,"key":%q,"subject":%q,"event_time":%q,"value":%d}`,
			e.Producer, e.Seq, e.Key, e.Subject, time.UnixMicro(e.Time).UTC().Format(time.RFC3339), e.Value)
	})
	run("sorted and spaced", func(dst []byte, e *event.Event) []byte {
		return fmt.Appendf(dst, `{"event_time": %d, "key": %q, "producer": %q, "seq": %d, "subject": %q, "value": %d}`,
			e.Time, e.Key, e.Producer, e.Seq, e.Subject, e.Value)
	})
}
