package generator

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"parallax.example/internal/telemetry"
)

// registry shows Progress as metrics. Sent, acknowledged and failed count what
// an earlier run of the same ledger has left as well.
func (g *Generator) registry() *prometheus.Registry {
	r := telemetry.NewRegistry()
	gauge := func(name, help string, value func(Progress) float64) {
		promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{Name: "parallax_generator_" + name, Help: help},
			func() float64 { return value(g.Progress()) })
	}
	gauge("messages", "Messages of the source, punctuation included.", func(p Progress) float64 { return float64(p.Total) })
	gauge("sent_messages", "Messages whose intent is in the ledger.", func(p Progress) float64 { return float64(p.Sent) })
	gauge("acknowledged_messages", "Messages that Kafka has acknowledged.", func(p Progress) float64 { return float64(p.OK) })
	gauge("failed_messages", "Messages that the client gave up.", func(p Progress) float64 { return float64(p.Failed) })
	gauge("due_seconds", "The source's own time of the last message, in seconds since 1970.", func(p Progress) float64 { return float64(p.Due) / 1e6 })
	return r
}
