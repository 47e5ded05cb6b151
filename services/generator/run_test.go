package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/broker"
	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
)

// theBroker is one broker for all tests; each uses topics of its own prefix.
var theBroker = sync.OnceValues(func() (*broker.Broker, error) { return broker.Start(broker.Config{}) })

var topics int

// newConfig gives a config whose topic exists and is empty.
func newConfig(t testing.TB) Config {
	t.Helper()
	b, err := theBroker()
	must(t, err)
	topics++
	c := usual
	c.Brokers, c.TopicPrefix = b.Addr(), fmt.Sprintf("test%d", topics)
	c.Ledger = filepath.Join(t.TempDir(), "generator.ledger")
	admin, err := kafka.NewAdmin(kafka.Config{Brokers: c.Brokers, ClientID: "test"})
	must(t, err)
	defer admin.Close()
	must(t, admin.EnsureTopics(t.Context(), kafka.NewTopics(c.TopicPrefix).Specs(c.Partitions, 1)))
	return c
}

func newGenerator(t testing.TB, c Config) *Generator {
	t.Helper()
	g, err := New(c, Deps{Clock: WallClock{}, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	return g
}

func run(t testing.TB, c Config) Summary {
	t.Helper()
	s, err := newGenerator(t, c).Run(t.Context())
	must(t, err)
	return s
}

type found struct {
	key, value string
	null       bool
	timestamp  int64
}

// readLog reads what stands in the topic, per partition in order of offset.
func readLog(t testing.TB, c Config) [][]found {
	t.Helper()
	k := kafka.Config{Brokers: c.Brokers, ClientID: "test"}
	admin, err := kafka.NewAdmin(k)
	must(t, err)
	defer admin.Close()
	log := make([][]found, c.Partitions)
	var partitions []int32
	for p := range log {
		partitions = append(partitions, int32(p))
	}
	ends, err := admin.Offsets(t.Context(), c.topic(), partitions)
	must(t, err)
	var ranges []kafka.Range
	for _, o := range ends {
		ranges = append(ranges, kafka.Range{Topic: c.topic(), Partition: o.Partition, From: 0, To: o.High})
	}
	must(t, kafka.ReadTo(t.Context(), k, kafka.ReaderConfig{Keys: true}, ranges, 20*time.Second, func(b *kafka.Batch) error {
		for i := range b.Len() {
			if b.Offsets[i] != int64(len(log[b.Partition])) {
				t.Errorf("partition %d: offset %d after %d records", b.Partition, b.Offsets[i], len(log[b.Partition]))
			}
			log[b.Partition] = append(log[b.Partition], found{string(b.Key(i)), string(b.Value(i)), b.Value(i) == nil, b.Timestamps[i]})
		}
		return nil
	}))
	return log
}

// wanted is what the source says should stand in the topic, without times.
func wanted(s source, partitions int) [][]found {
	log := make([][]found, partitions)
	var buf []byte
	for i := range s.len() {
		var m message
		m, buf = s.message(i, buf[:0])
		log[m.partition] = append(log[m.partition], found{key: string(m.key), value: string(m.value), null: m.value == nil})
	}
	return log
}

func untimed(log [][]found) [][]found {
	for _, p := range log {
		for i := range p {
			p[i].timestamp = 0
		}
	}
	return log
}

// equal compares logs without printing megabytes.
func equal(t testing.TB, got, want [][]found) {
	t.Helper()
	for p := range want {
		if len(got[p]) != len(want[p]) {
			t.Fatalf("partition %d has %d records, want %d", p, len(got[p]), len(want[p]))
		}
		for i := range want[p] {
			if got[p][i] != want[p][i] {
				t.Fatalf("partition %d, offset %d: %+v, want %+v", p, i, got[p][i], want[p][i])
			}
		}
	}
}

// Ensure that the whole week arrives, in order, byte for byte, and that ledger
// and summary say exactly where.
func TestRunWeek(t *testing.T) {
	c := newConfig(t)
	g := newGenerator(t, c)
	s, err := g.Run(t.Context())
	must(t, err)
	log := readLog(t, c)
	var ends []int64
	for _, p := range log {
		ends = append(ends, int64(len(p)))
	}
	want := Summary{Intents: 116_497, Generated: 116_493, Punctuations: 4, OK: 116_497, Ends: ends}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	if p := g.Progress(); p.Total != 116_497 || p.Sent != p.Total || p.OK != p.Total || p.Failed != 0 || p.Due != g.source.due(116_496) {
		t.Errorf("progress %+v", p)
	}
	_, err = ledger.Walk(c.Ledger, func(i *ledger.Intent, o *ledger.Outcome) error {
		at := log[o.Partition][o.Offset]
		if i.Partition != o.Partition || at.value != string(i.Value) || at.key != string(i.Key) || at.timestamp != i.Scheduled || o.Time < i.Scheduled {
			return fmt.Errorf("intent %+v has outcome %+v, and there is %+v", i, o, at)
		}
		return nil
	})
	must(t, err)
	equal(t, untimed(log), wanted(g.source, c.Partitions))
}

func TestFormsAndLimit(t *testing.T) {
	for _, form := range []string{"proto", "json"} {
		c := newConfig(t)
		c.Form, c.Limit, c.Speed = form, 700, 1e9
		if s := run(t, c); s.Generated != 700 || s.Punctuations != 4 {
			t.Errorf("%s: %+v", form, s)
		}
		equal(t, untimed(readLog(t, c)), wanted(newGenerator(t, c).source, c.Partitions))
	}
}

// Ensure that whatever is left of the ledger, a restart completes the run: every
// message is there, in one or more copies of the same bytes, the first in order.
func TestResumeTornLedger(t *testing.T) {
	for _, part := range []float64{0, 0.1, 0.37, 0.5, 0.71, 0.99} {
		c := newConfig(t)
		c.Limit = 300
		run(t, c)
		whole, err := os.ReadFile(c.Ledger)
		must(t, err)
		r, err := ledger.OpenReader(c.Ledger)
		must(t, err)
		header := int(r.Offset())
		must(t, r.Close())
		must(t, os.Truncate(c.Ledger, int64(header)+int64(part*float64(len(whole)-header))))

		if s := run(t, c); s.Generated != 300 || s.OK != 304 || s.Intents != 304 {
			t.Errorf("%v of the ledger left: %+v", part, s)
		}
		firstCopies(t, c)
	}
}

// firstCopies checks that the topic holds every message of the source, each
// first copy behind the first copies of those before it, and nothing else.
func firstCopies(t testing.TB, c Config) {
	t.Helper()
	log, want := readLog(t, c), wanted(newGenerator(t, c).source, c.Partitions)
	for p := range want {
		at := map[string]int{}
		for i, r := range want[p] {
			at[r.value] = i
		}
		next := 0
		for _, r := range log[p] {
			i, ok := at[r.value]
			if !ok || want[p][i].key != r.key || i > next {
				t.Fatalf("partition %d holds %q where message %d belongs", p, r.value, next)
			}
			next = max(next, i+1)
		}
		if next != len(want[p]) {
			t.Errorf("partition %d has %d of %d messages", p, next, len(want[p]))
		}
	}
	_, err := ledger.Walk(c.Ledger, func(i *ledger.Intent, o *ledger.Outcome) error {
		if r := log[o.Partition][o.Offset]; r.value != string(i.Value) || r.timestamp != i.Scheduled {
			return fmt.Errorf("intent %d is not at %d/%d", i.N, o.Partition, o.Offset)
		}
		return nil
	})
	must(t, err)
}

// TestMain is also the generator as a process, for kills.
func TestMain(m *testing.M) {
	if text := os.Getenv("GENERATOR_TEST_CONFIG"); text != "" {
		var c Config
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			panic(err)
		}
		g, err := New(c, Deps{Clock: WallClock{}, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			_, err = g.Run(context.Background())
		}
		if err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// Ensure that kill -9 in the middle loses nothing and that the ledger knows how
// many copies of each message there may be.
func TestKillNine(t *testing.T) {
	c := newConfig(t)
	c.Limit, c.Speed = 4000, 10_000
	text, err := json.Marshal(c)
	must(t, err)
	for _, size := range []int64{10_000, 100_000, 200_000} { // of the ledger, at which it is killed
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "GENERATOR_TEST_CONFIG="+string(text))
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if info, err := os.Stat(c.Ledger); err == nil && info.Size() > size {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the ledger does not grow")
			}
		}
		must(t, cmd.Process.Kill())
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("it was not killed: %v", err)
		}
	}
	c.Speed = 0
	s := run(t, c)
	if s.Generated != 4000 || s.OK != 4004 {
		t.Errorf("%+v", s)
	}
	firstCopies(t, c)
	copies := map[string]int{}
	for _, p := range readLog(t, c) {
		for _, r := range p {
			copies[r.value]++
		}
	}
	_, err = ledger.Walk(c.Ledger, func(i *ledger.Intent, o *ledger.Outcome) error {
		if n := copies[string(i.Value)]; i.Op == ledger.Event && n > 1+int(o.Resent) {
			return fmt.Errorf("intent %d is there %d times, was sent again %d times", i.N, n, o.Resent)
		}
		return nil
	})
	must(t, err)
}

// Ensure that Ctrl-C ends within two seconds, with everything that was sent
// accounted for, and that the next run goes on without sending anything twice.
func TestInterruptAndResume(t *testing.T) {
	c := newConfig(t)
	c.Limit, c.Speed = 5000, 30_000
	g := newGenerator(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for g.Progress().Sent < 200 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	s, err := g.Run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if s.Intents < 200 || s.Intents >= 5000 || s.OK != s.Intents || s.Punctuations != 0 {
		t.Errorf("interrupted: %+v", s)
	}
	c.Speed = 0
	if s := run(t, c); s.Generated != 5000 || s.Resent != 0 || s.OK != 5004 {
		t.Errorf("resumed: %+v", s)
	}
	equal(t, untimed(readLog(t, c)), wanted(g.source, c.Partitions))
	if s := run(t, c); s.Intents != 5004 { // nothing is left to do
		t.Errorf("a third time: %+v", s)
	}
}

// Ensure that a dead broker does not hold up Ctrl-C, and that nothing is
// claimed to be sent.
func TestInterruptWithoutBroker(t *testing.T) {
	b, err := broker.Start(broker.Config{})
	must(t, err)
	c := usual
	c.Brokers, c.Ledger, c.Speed = b.Addr(), filepath.Join(t.TempDir(), "l"), 30_000
	admin, err := kafka.NewAdmin(kafka.Config{Brokers: c.Brokers, ClientID: "test"})
	must(t, err)
	must(t, admin.EnsureTopics(t.Context(), kafka.NewTopics(c.TopicPrefix).Specs(4, 1)))
	admin.Close()
	g := newGenerator(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var cancelled time.Time
	go func() {
		for g.Progress().OK < 100 {
			time.Sleep(time.Millisecond)
		}
		b.Close()
		for stuck := g.Progress().OK; g.Progress().Sent < stuck+500; {
			time.Sleep(time.Millisecond)
		}
		cancelled = time.Now()
		cancel()
	}()
	s, err := g.Run(ctx)
	if took := time.Since(cancelled); took > 2*time.Second {
		t.Errorf("it took %v to end", took)
	}
	if !errors.Is(err, context.Canceled) || s.Unknown == 0 || s.Failed != 0 || s.OK+s.Unknown != s.Intents {
		t.Errorf("%v, %+v", err, s)
	}
}

// lateClock is a clock that is always woken late: a slow machine.
type lateClock struct {
	mu   sync.Mutex
	now  time.Time
	late time.Duration
}

func (c *lateClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *lateClock) Wait(ctx context.Context, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t.Add(c.late)
	}
	return ctx.Err()
}

// Ensure that the schedule is start + (known - first known)/speed however slow
// the sender is, and that nothing is sent before its time.
func TestScheduleIgnoresSlowSender(t *testing.T) {
	c := newConfig(t)
	c.Speed, c.Limit = 6000, 900
	start := time.Now().Truncate(time.Millisecond)
	g, err := New(c, Deps{Clock: &lateClock{now: start, late: 137 * time.Millisecond}, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	_, err = g.Run(t.Context())
	must(t, err)
	seen := 0
	_, err = ledger.Walk(c.Ledger, func(i *ledger.Intent, _ *ledger.Outcome) error {
		seen++
		due := g.source.due(int(i.N)) - g.source.due(0) // a minute is 10 ms
		if want := start.UnixMilli() + due/6_000_000; i.Scheduled != want {
			return fmt.Errorf("intent %d is scheduled for %d, want %d", i.N, i.Scheduled, want)
		}
		return nil
	})
	must(t, err)
	if seen != 904 {
		t.Errorf("%d intents, want 904", seen)
	}
}

func TestRefusals(t *testing.T) {
	begun := newConfig(t)
	begun.Limit = 10
	run(t, begun)
	f := func(change func(*Config), want string) {
		t.Helper()
		c := begun
		change(&c)
		g, err := New(c, Deps{Clock: WallClock{}, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			_, err = g.Run(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(c *Config) { c.Limit = 11 }, "name another ledger, or the same source")
	f(func(c *Config) { c.Form = "json" }, "cannot resume ledger")
	f(func(c *Config) { c.Form = "xml" }, "--form: must be proto or json")
	f(func(c *Config) { c.Partitions = 5 }, "has 4 partitions, not 5")
	f(func(c *Config) { c.TopicPrefix = "nowhere" }, "nowhere.events")
	f(func(c *Config) { c.Brokers = "127.0.0.1:1" }, "127.0.0.1:1")
	f(func(c *Config) { c.Ledger = filepath.Join(c.Ledger, "l") }, "not a directory")
	f(func(c *Config) { c.Dataset = "no-such.parquet" }, "no-such.parquet")
	f(func(c *Config) { c.Log = c.Ledger }, "cannot replay the log")
	f(func(c *Config) { c.Log, c.Dataset = "a", "b" }, "choose one source")
	f(func(c *Config) { must(t, os.WriteFile(c.Ledger, []byte("something else"), 0o600)) }, "not a ledger")
}

// BenchmarkRun sends the week at full speed, ledger and acknowledgements included.
func BenchmarkRun(b *testing.B) {
	events := 0
	for b.Loop() {
		b.StopTimer()
		c := newConfig(b)
		g := newGenerator(b, c)
		b.StartTimer()
		s, err := g.Run(b.Context())
		must(b, err)
		events += int(s.Generated)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
