package kafka_test

import (
	"testing"
	"time"
	"fmt"

	"parallax.example/internal/kafka"
)

func TestZZ(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 4)
	lap := time.Now()
	mark := func(s string) { t.Logf("%s %s", s, time.Since(lap)); lap = time.Now() }
	p, err := kafka.NewProducer(c, kafka.ProducerConfig{})
	must(t, err)
	mark("producer")
	for i := range 5000 {
		must(t, p.Produce(t.Context(), kafka.Record{Topic: out, Partition: int32(i%4), Value: []byte("x")},0))
	}
	mark("produced")
	must(t, p.Flush(t.Context()))
	mark("flushed")
	p.Close()
	mark("closed")
	x := ready(t, c, "x")
	for range 50 {
		must(t, x.Begin())
		for i := range 400 {
			must(t, x.Produce(kafka.Record{Topic: out, Partition: int32(i%4), Value: []byte("x")}))
		}
		must(t, x.Commit())
	}
	a := admin(t, c)
	for range 12 {
	    o, err := a.Offsets(t.Context(), out, []int32{0,1,2,3})
		must(t, err)
		mark("offsets")
		must(t, kafka.ReadTo(t.Context(), c, kafka.ReaderConfig{}, []kafka.Range{{out,0,0,o[0].Stable},{out,1,0,o[1].Stable},{out,2,0,o[2].Stable},{out,3,0,o[3].Stable}}, patience, func(b *kafka.Batch) error { mark(fmt.Sprint(b.Partition, b.Len(), b.AtEnd)); return nil }))
		mark("readto")
	}
}
