package processor

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
	"parallax.example/services/processor/task"
)

// collector shows the counters to Prometheus. How far the input has come is
// asked for at each scrape, so that processing does not pay for it.
type collector struct {
	counters *task.Counters
	ends     func(partitions []int32) ([]kafka.Offsets, error)
	now      func() time.Time
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("parallax_processor_"+name, help, append([]string{"partition"}, labels...), nil)
}

var (
	owned        = describe("owned", "1 while this processor owns the partition.")
	lag          = describe("lag_records", "Input records after the last commit; absent when the brokers do not answer.")
	offset       = describe("offset", "The next input offset, as of the last commit.")
	watermark    = describe("watermark_seconds", "Watermark of the partition, in seconds since 1970; absent before anything is believed.")
	age          = describe("watermark_age_seconds", "How far the watermark is behind the wall clock.")
	records      = describe("records_total", "Input records of the partition since its first offset, by what became of them.", "outcome")
	placements   = describe("placements_total", "Placements of valid events since the first offset, by view and outcome.", "view", "outcome")
	openCells    = describe("open_cells", "Cells of windows that are still open, by view.", "view")
	openWindows  = describe("open_windows", "Windows and sessions that are still open, by view; of hopping windows, their panes.", "view")
	keys         = describe("keys", "Keys with an open window; --max-keys limits them.")
	producers    = describe("producers", "Producers that sent events with an id; --max-keys limits them.")
	stateBytes   = describe("state_bytes", "About the memory that the partition's state takes.")
	transactions = describe("transactions_total", "Transactions of this process, by outcome.", "outcome")
	recreated    = describe("producers_recreated_total", "Producers made anew because an outcome was in doubt.")
	commitTime   = describe("commit_seconds", "Time of a commit, from the flush of the state to its outcome.")
)

func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func (c collector) Collect(ch chan<- prometheus.Metric) {
	snapshot := c.counters.Snapshot()
	ends := c.endOf(snapshot)
	for i, n := range snapshot {
		partition := strconv.Itoa(int(n.Partition))
		send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, value, append([]string{partition}, labels...)...)
		}
		count := func(d *prometheus.Desc, value uint64, labels ...string) {
			send(d, prometheus.CounterValue, float64(value), labels...)
		}
		own := 0.0
		if n.Owned {
			own = 1
		}
		send(owned, prometheus.GaugeValue, own)
		if n.Owned { // else the owner tells, and a sum over processors counts once
			if ends != nil {
				send(lag, prometheus.GaugeValue, float64(max(0, ends[i].High-n.Offset)))
			}
			c.state(&n, send, count)
		}
		count(transactions, n.Transactions, "committed")
		count(transactions, n.Aborts, "rolled-back")
		count(recreated, n.Recreated)
		ch <- prometheus.MustNewConstHistogram(commitTime, n.Commits.Count, n.Commits.Sum, buckets(&n.Commits), partition)
	}
}

// state shows what a partition's state says, over the whole prefix of its input.
func (c collector) state(n *task.Counts, send func(*prometheus.Desc, prometheus.ValueType, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	send(offset, prometheus.GaugeValue, float64(n.Offset))
	if n.Watermark != engine.NoWatermark {
		send(watermark, prometheus.GaugeValue, float64(n.Watermark)/1e6)
		send(age, prometheus.GaugeValue, float64(c.now().UnixMicro()-n.Watermark)/1e6)
	}
	count(records, n.Valid, "valid")
	count(records, n.Duplicates, "duplicate")
	count(records, n.Stale, "stale")
	count(records, n.DeadLetters, "dead-letter")
	count(records, n.Punctuation, "punctuation")
	for _, v := range n.Views {
		count(placements, v.Counted, v.View, "counted")
		count(placements, v.Late, v.View, "late")
		send(openCells, prometheus.GaugeValue, float64(v.Cells), v.View)
		send(openWindows, prometheus.GaugeValue, float64(v.Open), v.View)
	}
	send(keys, prometheus.GaugeValue, float64(n.Keys))
	send(producers, prometheus.GaugeValue, float64(n.Producers))
	send(stateBytes, prometheus.GaugeValue, float64(n.Bytes))
}

// endOf returns the ends of the partitions in the snapshot, or nil.
func (c collector) endOf(snapshot []task.Counts) []kafka.Offsets {
	partitions := make([]int32, len(snapshot))
	for i := range snapshot {
		partitions[i] = snapshot[i].Partition
	}
	ends, err := c.ends(partitions)
	if err != nil {
		return nil // a scrape must show the rest above all when brokers are down
	}
	return ends
}

func buckets(d *task.Durations) map[float64]uint64 {
	of := make(map[float64]uint64, len(d.Buckets))
	for i, n := range d.Buckets {
		of[task.Bounds[i]] = n
	}
	return of
}
