package bench

import (
	"os"
	"testing"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// viewsFile is the project's own.
const viewsFile = "../views.yaml"

// perForm runs a benchmark for each wire form over its log.
func perForm(b *testing.B, run func(b *testing.B, form string, l *log)) {
	for _, form := range forms {
		b.Run(form, func(b *testing.B) { run(b, form, flights(b, form)) })
	}
}

func BenchmarkEncode(b *testing.B) {
	perForm(b, func(b *testing.B, form string, l *log) {
		events := make([]event.Event, 0, l.events)
		l.each(func(batch *kafka.Batch) {
			for i := range batch.Len() {
				var r event.Record
				must(b, r.Decode(batch.Value(i)))
				if r.Kind == event.KindEvent {
					events = append(events, r.Event)
				}
			}
		})
		encode := encoders[form]
		var buf []byte
		m := begin(b)
		for b.Loop() {
			for i := range events {
				buf = encode(buf[:0], &events[i])
			}
		}
		m.end(b.N * len(events))
	})
}

func BenchmarkDecode(b *testing.B) {
	perForm(b, func(b *testing.B, _ string, l *log) {
		var r event.Record
		m := begin(b)
		for b.Loop() {
			l.each(func(batch *kafka.Batch) {
				for i := range batch.Len() {
					if err := r.Decode(batch.Value(i)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		m.end(b.N * l.events)
	})
}

// BenchmarkDecodeAggregate also checks that each event was counted.
func BenchmarkDecodeAggregate(b *testing.B) {
	file := views(b)
	perForm(b, func(b *testing.B, _ string, l *log) {
		var out engine.Output
		m := begin(b)
		for b.Loop() {
			var valid uint64
			for p, batches := range l.partitions {
				e := engine.New(file, "events", int32(p))
				for _, batch := range batches {
					out.Reset()
					must(b, e.Apply(&engine.Batch{Offsets: batch.Offsets, Timestamps: batch.Timestamps, Ends: batch.Ends, Data: batch.Data}, &out))
					e.Flush(&out)
					e.Commit()
				}
				valid += e.Stats().Valid
			}
			if valid != uint64(l.events) {
				b.Fatalf("%d of %d events are valid", valid, l.events)
			}
		}
		m.end(b.N * l.events)
	})
}

func views(b *testing.B) *view.File {
	b.Helper()
	text, err := os.ReadFile(viewsFile)
	must(b, err)
	file, err := view.Parse(viewsFile, text)
	must(b, err)
	return file
}
