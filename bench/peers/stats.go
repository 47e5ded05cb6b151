package main

import (
	"cmp"
	"slices"
	"time"
)

// median of at least one value; of an even number the mean of the middle two.
func median[T ~int64 | ~float64](values []T) T {
	s := slices.Clone(values)
	slices.SortFunc(s, cmp.Compare[T])
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// of collects one figure of the samples of an engine and a set.
func of[T any](samples []sample, engine, set string, figure func(sample) T) []T {
	var list []T
	for _, s := range samples {
		if s.Engine == engine && s.Set == set {
			list = append(list, figure(s))
		}
	}
	return list
}

// perEvent is in µs.
func perEvent(d time.Duration, events int) float64 {
	return float64(d) / float64(time.Microsecond) / float64(events)
}

// cost is what the events of an engine cost, medians over its runs. Marginal is
// of the events by which the larger set is larger, run by run.
type cost struct {
	Engine         string  `json:"engine"`
	About          string  `json:"about"`
	Whole          float64 `json:"whole_us"` // CPU µs per event of the smaller set
	Marginal       float64 `json:"marginal_us"`
	BrokerMarginal float64 `json:"broker_marginal_us"`
	Rate           float64 `json:"events_per_s"` // marginal, by wall time
	PeakSmall      int64   `json:"peak_small_bytes"`
	PeakLarge      int64   `json:"peak_large_bytes"`
	Ratio          float64 `json:"ratio"` // of its marginal cost to that of the first engine
}

// costs condenses the samples. Runs come in pairs, in order.
func costs(engines []engine, samples []sample, small, large *set) []cost {
	more := large.events - small.events
	var list []cost
	for _, e := range engines {
		a := of(samples, e.name, small.name, func(s sample) sample { return s })
		b := of(samples, e.name, large.name, func(s sample) sample { return s })
		if len(a) == 0 || len(a) != len(b) {
			continue
		}
		var marginal, broker, rate []float64
		for i := range a {
			marginal = append(marginal, perEvent(b[i].CPU-a[i].CPU, more))
			broker = append(broker, perEvent(b[i].Broker-a[i].Broker, more))
			rate = append(rate, float64(more)/max(b[i].Wall-a[i].Wall, time.Millisecond).Seconds())
		}
		peak := func(s sample) int64 { return s.Peak }
		list = append(list, cost{
			Engine: e.name, About: e.about,
			Whole:          median(of(samples, e.name, small.name, func(s sample) float64 { return perEvent(s.CPU, s.Events) })),
			Marginal:       median(marginal),
			BrokerMarginal: median(broker),
			Rate:           median(rate),
			PeakSmall:      median(of(samples, e.name, small.name, peak)),
			PeakLarge:      median(of(samples, e.name, large.name, peak)),
		})
	}
	for i := range list {
		list[i].Ratio = list[i].Marginal / list[0].Marginal
	}
	return list
}
