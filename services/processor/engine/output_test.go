package engine_test

import (
	"bytes"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/services/processor/engine"
)

// What a record of the input leads to does not lie in memory together, however
// much it is; and it is the same as if it did.
func TestFullOutput(t *testing.T) {
	const keys = 120_000
	f := parse(t, "time: {believed: {count: 1, of: 1}, punctuation: [p]}\nviews: [{name: a, window: {tumbling: 1h}}]")
	everything := func(full bool) (records int, all []byte, largest int) {
		var out engine.Output
		take := func() {
			records, all, largest = records+out.Len(), append(all, out.Data()...), max(largest, out.Bytes())
			out.Reset()
		}
		if full {
			out.Full = take
		}
		e := engine.New(f, "events", 0)
		fillKeys(t, e, keys, &out)
		last := event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte("p"), Watermark: event.MaxWatermark})
		if err := e.Apply(&engine.Batch{Offsets: []int64{keys}, Timestamps: []int64{0}, Ends: []int{len(last)}, Data: last}, &out); err != nil {
			t.Fatal(err)
		}
		e.Flush(&out)
		take()
		return records, all, largest
	}
	n, want, whole := everything(false)
	m, got, largest := everything(true)
	if n != m || !bytes.Equal(got, want) {
		t.Errorf("%d records of %d bytes, want %d of %d", m, len(got), n, len(want))
	}
	if whole < 2*engine.FullBytes || largest > engine.FullBytes+1024 {
		t.Errorf("%d bytes together, %d at most at a time, want %d", whole, largest, engine.FullBytes)
	}
}

// fillKeys applies an event of each key.
func fillKeys(t *testing.T, e *engine.Engine, keys int, out *engine.Output) {
	t.Helper()
	var b engine.Batch
	for n := range keys {
		b.Data = event.AppendProto(b.Data, &event.Event{Key: []byte{'k', byte(n >> 16), byte(n >> 8), byte(n)}, Time: hour, Value: 7})
		b.Offsets, b.Timestamps, b.Ends = append(b.Offsets, int64(n)), append(b.Timestamps, 0), append(b.Ends, len(b.Data))
	}
	if err := e.Apply(&b, out); err != nil {
		t.Fatal(err)
	}
}
