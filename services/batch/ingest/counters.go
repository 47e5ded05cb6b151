package ingest

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Counters say what an ingester has read and committed since it started.
type Counters struct {
	Read         atomic.Int64 // records, whether they are committed yet or not
	Rows         atomic.Int64
	DeadLetters  atomic.Int64
	Punctuations atomic.Int64
	Manifests    atomic.Int64
	Files        atomic.Int64
	Bytes        atomic.Int64 // of the files
	Taken        atomic.Int64 // ranges that another ingester committed first
	Lag          atomic.Int64 // offsets of the owned partitions that are in the log and not yet in the lake
}

// Register shows the counters as metrics.
func (c *Counters) Register(r prometheus.Registerer) {
	counter := func(name, help string, v *atomic.Int64) {
		promauto.With(r).NewCounterFunc(prometheus.CounterOpts{Name: "parallax_ingest_" + name, Help: help},
			func() float64 { return float64(v.Load()) })
	}
	counter("read_total", "Records read.", &c.Read)
	counter("rows_total", "Events committed to the lake.", &c.Rows)
	counter("dead_letters_total", "Dead letters committed to the lake.", &c.DeadLetters)
	counter("punctuations_total", "Punctuations committed to the lake.", &c.Punctuations)
	counter("manifests_total", "Manifests committed.", &c.Manifests)
	counter("files_total", "Data files committed.", &c.Files)
	counter("bytes_total", "Bytes of the data files committed.", &c.Bytes)
	counter("taken_total", "Ranges that another ingester committed first.", &c.Taken)
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{Name: "parallax_ingest_lag_offsets", Help: "Offsets of the owned partitions that are not yet in the lake."},
		func() float64 { return float64(c.Lag.Load()) })
}
