package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// engine is one contestant at its best settings.
type engine struct {
	name  string
	about string        // for the table
	every time.Duration // between commits, or checkpoints
	kind  kind
	with  []string // arguments of its own
}

type kind int

const (
	parallax kind = iota
	streams       // Kafka Streams
	flink
	confluent // the plain loops
	franz
)

var throughputEngines = []engine{
	{name: "parallax", about: "Parallax: deduplication, lateness, exclusions, changelog", every: 100 * time.Millisecond},
	{name: "streams-rocksdb", about: "Kafka Streams " + kafkaVersion + ", RocksDB, exactly_once_v2", every: 100 * time.Millisecond, kind: streams, with: []string{"-store=rocksdb"}},
	{name: "streams-memory", about: "Kafka Streams " + kafkaVersion + ", in memory, exactly_once_v2", every: 100 * time.Millisecond, kind: streams, with: []string{"-store=memory"}},
	{name: "flink-100ms", about: "Flink " + flinkVersion + ", HashMap state, exactly once, checkpoint 100 ms", every: 100 * time.Millisecond, kind: flink},
	{name: "flink-1s", about: "Flink " + flinkVersion + ", the same, checkpoint 1 s", every: time.Second, kind: flink},
	{name: "confluent", about: "Go loop, confluent-kafka-go `Poll`, encoding/json; no changelog", every: 100 * time.Millisecond, kind: confluent},
	{name: "franz", about: "Go loop, franz-go, encoding/json; no changelog", every: 100 * time.Millisecond, kind: franz},
	{name: "franz-scan", about: "Go loop, franz-go, JSON by hand; no changelog", every: 100 * time.Millisecond, kind: franz, with: []string{"-scan"}},
}

// latencyEngines commit as often as they can keep up with; Parallax in its
// latency profile decides that itself.
var latencyEngines = []engine{
	{name: "parallax", about: "Parallax, latency profile", with: []string{"--profile", "latency"}},
	{name: "parallax-100ms", about: "Parallax, commit 100 ms", every: 100 * time.Millisecond},
	{name: "streams-20ms", about: "Kafka Streams " + kafkaVersion + ", in memory, commit 20 ms", every: 20 * time.Millisecond, kind: streams, with: []string{"-store=memory"}},
	{name: "streams-100ms", about: "Kafka Streams " + kafkaVersion + ", in memory, commit 100 ms", every: 100 * time.Millisecond, kind: streams, with: []string{"-store=memory"}},
	{name: "flink-100ms", about: "Flink " + flinkVersion + ", checkpoint 100 ms", every: 100 * time.Millisecond, kind: flink},
}

// question is what is asked of an engine.
type question struct {
	window, every, lateness time.Duration // every: the hop, 0 is a tumbling window
	believed                string        // of views.yaml
	final                   bool          // rows of closed windows only
	sketches                bool          // quantiles and distinct subjects too
}

// comparison is the question of the throughput runs. No flight is so late that
// an engine would leave it out: what counts as late differs between engines
// (Flink takes the slowest partition's time, the others each partition's own),
// and only so all of them have one right answer. All keep a window for as long.
func comparison() question {
	return question{window: time.Hour, lateness: 72 * time.Hour, believed: "{count: 8, of: 64}"}
}

// views is the processor's form of the question.
func (q question) views() string {
	window := fmt.Sprintf("{tumbling: %s}", q.window)
	if q.every != 0 {
		window = fmt.Sprintf("{hopping: %s, every: %s}", q.window, q.every)
	}
	emit := ""
	if q.final {
		emit = ", emit: final"
	}
	more := ""
	if q.sketches {
		more = ", p50, p95, p99, distinct"
	}
	return fmt.Sprintf(`time: {believed: %s, lag: 0s, punctuation: [generator]}
views:
  - {name: bench, window: %s, lateness: %s, aggregates: [count, sum, min, max%s]%s}
`, q.believed, window, q.lateness, more, emit)
}

// job is the names of one run.
type job struct {
	input, prefix string // of the topics
	output        string // topic of the results
	group         string
	state         string // a folder of its own
}

// heap of the Java engines: less doubles the CPU of Kafka Streams.
const heap = "3g"

// args is the command line.
func (e engine) args(l *lab, q question, j job) []string {
	if e.kind == parallax {
		args := []string{l.program, "--brokers", l.kafka.Brokers, "--topic-prefix", j.prefix, "--views", filepath.Join(j.state, "views.yaml"), "--group", j.group}
		if e.every > 0 {
			args = append(args, "--commit-interval", e.every.String())
		}
		return append(args, e.with...)
	}
	args := append([]string{
		"-brokers=" + l.kafka.Brokers, "-input=" + j.input, "-output=" + j.output, "-group=" + j.group, "-state=" + j.state,
		"-window-ms=" + strconv.FormatInt(q.window.Milliseconds(), 10), "-lateness-ms=" + strconv.FormatInt(q.lateness.Milliseconds(), 10),
		"-commit-ms=" + strconv.FormatInt(e.every.Milliseconds(), 10), "-final=" + strconv.FormatBool(q.final),
	}, e.with...)
	java := []string{"java", "-Xms" + heap, "-Xmx" + heap, "-XX:+UseParallelGC"}
	switch e.kind {
	case streams:
		return append(append(java, "-cp", l.jars("streams"), "peers.Streams"), args...)
	case flink:
		java = append(java, "--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.time=ALL-UNNAMED")
		return append(append(java, "-cp", l.jars("flink"), "peers.Flink"), args...)
	case confluent:
		return append([]string{l.bin("confluent")}, args...)
	case franz:
		return append([]string{l.bin("franz")}, args...)
	}
	panic(fmt.Sprintf("BUG: engine %q of kind %d", e.name, e.kind))
}

// env gives the loops the garbage collector's setting that pays for them; the
// processor runs as anyone would start it.
func (e engine) env() []string {
	if e.kind == confluent || e.kind == franz {
		return []string{"GOGC=400"}
	}
	return nil
}

func (e engine) decoder() decoder {
	if e.kind == parallax {
		return ours
	}
	return theirs
}
