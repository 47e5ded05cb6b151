package kafka_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"parallax.example/internal/kafka"
)

// Both ways of reading must give the same: each is held against what was
// written, and their offsets and timestamps against each other's.

func eachPath(t *testing.T, test func(*testing.T, kafka.FetchPath)) {
	for _, path := range []kafka.FetchPath{kafka.FetchPoll, kafka.FetchBatch} {
		t.Run(path.String(), func(t *testing.T) { test(t, path) })
	}
}

// row is a record as a reader sees it; null and empty are not the same.
type row struct {
	offset, timestamp int64
	key, value        string
}

func text(b []byte) string {
	if b == nil {
		return "null"
	}
	if len(b) > 100 {
		return fmt.Sprintf("%d bytes from %q", len(b), b[:20])
	}
	return fmt.Sprintf("%q", b)
}

func rows(b *kafka.Batch) []row {
	result := make([]row, b.Len())
	for i := range result {
		key := b.Key(i)
		if len(key) == 0 {
			key = nil // readers do not tell an empty key from none
		}
		result[i] = row{b.Offsets[i], b.Timestamps[i], text(key), text(b.Value(i))}
	}
	return result
}

// randomBytes is null, empty, small or, seldom, large.
func randomBytes(r *rand.Rand, large int) []byte {
	switch n := r.IntN(40); {
	case n < 4:
		return nil
	case n < 8:
		return []byte{}
	case n == 8 && large > 0:
		return fmt.Appendf(make([]byte, 0, large), "%d%s", r.Uint64(), strings.Repeat("x", 1+r.IntN(large)))
	}
	return fmt.Append(nil, r.Uint64N(1<<(1+r.UintN(60))))
}

// write fills a topic's partitions with transactions, committed and aborted, and
// with records outside of any, in every compression. It returns what readers of
// committed records must see of each partition: keys and values.
func write(t *testing.T, c kafka.Config, topic string, partitions, transactions int, r *rand.Rand) [][]row {
	t.Helper()
	visible := make([][]row, partitions)
	var writers []*ck.Producer
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		for _, id := range []string{"", "writer-" + codec} {
			conf := ck.ConfigMap{"bootstrap.servers": c.Brokers, "compression.type": codec, "linger.ms": 0, "enable.idempotence": true, "go.delivery.reports": false, "enable.metrics.push": false}
			if id != "" {
				conf["transactional.id"] = id
			}
			p, err := ck.NewProducer(&conf)
			must(t, err)
			defer p.Close()
			if id != "" {
				must(t, p.InitTransactions(t.Context()))
			}
			writers = append(writers, p)
		}
	}
	for n := range transactions {
		i := r.IntN(len(writers))
		p, transactional := writers[i], i%2 == 1
		abort := transactional && r.IntN(3) == 0
		if transactional {
			must(t, p.BeginTransaction())
		}
		for range r.IntN(120) {
			part := r.IntN(partitions)
			key, value := randomBytes(r, 0), randomBytes(r, 300_000)
			must(t, p.Produce(&ck.Message{TopicPartition: ck.TopicPartition{Topic: &topic, Partition: int32(part)}, Key: key, Value: value,
				Timestamp: time.UnixMilli(1_000_000 + int64(n))}, nil))
			if !abort {
				if len(key) == 0 {
					key = nil
				}
				visible[part] = append(visible[part], row{key: text(key), value: text(value)})
			}
		}
		switch {
		case abort:
			p.Flush(10_000) // so that there is something to abort
			must(t, p.AbortTransaction(t.Context()))
		case transactional:
			must(t, p.CommitTransaction(t.Context()))
		default:
			if p.Flush(10_000) > 0 {
				t.Fatal("the writer was not done in time")
			}
		}
	}
	return visible
}

// readAll is each partition as a path gives it.
func readAll(t *testing.T, c kafka.Config, topic string, partitions int, rc kafka.ReaderConfig) [][]row {
	t.Helper()
	all := make([]int32, partitions)
	for i := range all {
		all[i] = int32(i)
	}
	ends, err := admin(t, c).Offsets(t.Context(), topic, all)
	must(t, err)
	var ranges []kafka.Range
	for i, e := range ends {
		ranges = append(ranges, kafka.Range{Topic: topic, Partition: int32(i), To: e.Stable})
	}
	rc.Keys = true
	got := make([][]row, partitions)
	must(t, kafka.ReadTo(t.Context(), c, rc, ranges, patience, func(b *kafka.Batch) error {
		got[b.Partition] = append(got[b.Partition], rows(b)...)
		return nil
	}))
	return got
}

func content(rs []row) []row {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].offset, rs[i].timestamp = 0, 0
	}
	return rs
}

func sameRows(t *testing.T, what string, got, want []row) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: record %d is %v, want %v", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
}

func TestPathsReadTheSame(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 3)
	r := rand.New(rand.NewPCG(1, 1))
	want := write(t, c, events, 3, 80, r)
	var first [][]row
	for _, most := range []int{0, 1 + r.IntN(20), 300} {
		for _, path := range []kafka.FetchPath{kafka.FetchPoll, kafka.FetchBatch} {
			got := readAll(t, c, events, 3, kafka.ReaderConfig{Fetch: path, MaxRecords: most})
			if first == nil {
				first = got
			}
			for p := range want {
				what := fmt.Sprintf("%v by %d, partition %d", path, most, p)
				sameRows(t, what, content(got[p]), want[p])
				sameRows(t, what, got[p], first[p])
			}
		}
	}
}

// follower checks that what is read of each partition is what comes next in it.
type follower struct {
	t    *testing.T
	what string
	log  [][]row
	next []int // index into log
	end  []bool
	held []bool
}

func newFollower(t *testing.T, what string, log [][]row) *follower {
	return &follower{t, what, log, make([]int, len(log)), make([]bool, len(log)), make([]bool, len(log))}
}

func (f *follower) take(batches []*kafka.Batch) {
	f.t.Helper()
	for _, b := range batches {
		p := b.Partition
		if f.held[p] {
			f.t.Fatalf("%s: partition %d is held and gives %d records, end %v", f.what, p, b.Len(), b.AtEnd)
		}
		for _, got := range rows(b) {
			if f.next[p] == len(f.log[p]) || got != f.log[p][f.next[p]] {
				f.t.Fatalf("%s: partition %d gives %v as record %d of %d", f.what, p, got, f.next[p], len(f.log[p]))
			}
			f.next[p]++
		}
		if n := b.Len(); n > 0 && b.Next <= b.Offsets[n-1] {
			f.t.Fatalf("%s: partition %d: next is %d after offset %d", f.what, p, b.Next, b.Offsets[n-1])
		}
		if f.end[p] = b.AtEnd; b.AtEnd && f.next[p] != len(f.log[p]) {
			f.t.Fatalf("%s: partition %d ends after %d of %d records", f.what, p, f.next[p], len(f.log[p]))
		}
	}
}

// offset is where the partition's record i is; a little lower, perhaps, where
// no visible record lies between.
func (f *follower) offset(p, i int, r *rand.Rand) int64 {
	from, to := int64(0), f.log[p][i].offset
	if i > 0 {
		from = f.log[p][i-1].offset + 1
	}
	return from + r.Int64N(to-from+1)
}

func TestPathsSeekAndHold(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 3)
	write(t, c, events, 3, 80, rand.New(rand.NewPCG(2, 2)))
	log := readAll(t, c, events, 3, kafka.ReaderConfig{Fetch: kafka.FetchPoll})
	eachPath(t, func(t *testing.T, path kafka.FetchPath) {
		t.Parallel()
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 3))
			f := newFollower(t, fmt.Sprintf("seed %d", seed), log)
			m := join(t, c, events, fmt.Sprintf("g-%v-%d", path, seed), "", func(g *kafka.GroupConfig) {
				g.Fetch, g.Keys, g.MaxRecords = path, true, 1+r.IntN(200)
			})
			poll := func(wait time.Duration) {
				batches, err := m.Poll(wait)
				must(t, err)
				f.take(batches)
			}
			if m.Path() != path {
				t.Fatalf("path is %v", m.Path())
			}
			for end := time.Now().Add(patience); len(m.owned) == 0 && time.Now().Before(end); {
				poll(50 * time.Millisecond)
			}
			for range 300 {
				p := r.IntN(len(log))
				switch r.IntN(10) {
				case 0:
					i := r.IntN(len(log[p]))
					must(t, m.Seek(int32(p), f.offset(p, i, r)))
					f.next[p], f.end[p] = i, false
				case 1, 2:
					f.held[p] = !f.held[p]
					m.Hold(int32(p), f.held[p])
				default:
					poll(time.Duration(r.IntN(8)) * time.Millisecond)
				}
			}
			for p := range log {
				f.held[p] = false
				m.Hold(int32(p), false)
			}
			for end := time.Now().Add(patience); slices.Contains(f.end, false); {
				if time.Now().After(end) {
					t.Fatalf("seed %d: ends %v, at %v", seed, f.end, f.next)
				}
				poll(50 * time.Millisecond)
			}
			must(t, m.Close())
		}
	})
}

// Members come and go; whoever owns a partition continues where the last owner
// stopped. What is polled is handled at once, so each record comes exactly once.
func TestPathsRebalance(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 4)
	write(t, c, events, 4, 150, rand.New(rand.NewPCG(4, 4)))
	log := readAll(t, c, events, 4, kafka.ReaderConfig{Fetch: kafka.FetchPoll})
	eachPath(t, func(t *testing.T, path kafka.FetchPath) {
		t.Parallel()
		r := rand.New(rand.NewPCG(5, 5))
		f := newFollower(t, path.String(), log)
		var members []*member
		changes := 0
		enter := func() {
			fetch := path
			if r.IntN(4) == 0 { // a group may be mixed
				fetch = kafka.FetchPoll
			}
			m := join(t, c, events, "g-"+path.String(), "", func(g *kafka.GroupConfig) {
				g.Fetch, g.Keys, g.MaxRecords, g.SessionTimeout = fetch, true, 1+r.IntN(40), time.Second
				old := g.OnAssigned
				g.OnAssigned = func(parts []int32) ([]int64, error) {
					changes++
					offsets, err := old(parts)
					for i, p := range parts {
						f.held[p], f.end[p] = false, false
						if offsets[i] = 0; f.next[p] > 0 {
							offsets[i] = log[p][f.next[p]-1].offset + 1
						}
					}
					return offsets, err
				}
			})
			members = append(members, m)
		}
		enter()
		began := time.Now()
		for round := 0; slices.Contains(f.end, false) || changes < 12; round++ {
			if time.Since(began) > 2*patience {
				t.Fatalf("after %d assignments: ends %v, at %v", changes, f.end, f.next)
			}
			for _, m := range members {
				batches, err := m.Poll(2 * time.Millisecond)
				must(t, err)
				f.take(batches)
			}
			switch n := r.IntN(60); {
			case n == 0 && len(members) < 3:
				enter()
			case n == 1 && len(members) > 1:
				i := r.IntN(len(members))
				must(t, members[i].Close())
				members = slices.Delete(members, i, i+1)
			case n == 2 && !slices.Contains(f.end, false): // all is read: again
				for _, m := range members {
					for _, p := range m.owned {
						must(t, m.Seek(p, 0))
						f.next[p], f.end[p] = 0, false
					}
				}
			}
		}
		for _, m := range members {
			must(t, m.Close())
		}
	})
}

// What waits while a partition is held has a bound, also where it is much.
func TestHoldOfMuch(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 1)
	values := make([]string, 40)
	for i := range values {
		values[i] = fmt.Sprint(i) + strings.Repeat("x", 900_000)
	}
	eachPath(t, func(t *testing.T, path kafka.FetchPath) {
		m := join(t, c, events, "g-"+path.String(), "", func(g *kafka.GroupConfig) { g.Fetch, g.FetchQueue = path, 64<<20 })
		defer m.Close()
		until(t, "the end", func() bool { return m.ended[0] }, m)
		m.Hold(0, true)
		m.received[0] = nil
		send(t, c, events, 0, values...)
		for range 10 {
			m.poll(t)
		}
		if n := len(m.received[0]); n > 0 {
			t.Fatalf("%d records came while the partition was held", n)
		}
		m.Hold(0, false)
		until(t, "all values", func() bool { return len(m.received[0]) >= len(values) }, m)
		if !slices.Equal(m.received[0], values) {
			t.Errorf("other values came")
		}

		// A poll that its bound ended leaves records behind, which a seek must drop.
		last := m.next[0] - 1
		must(t, m.Seek(0, last+1-int64(len(values))))
		m.Hold(0, true)
		for range 10 {
			m.poll(t)
		}
		m.Hold(0, false)
		m.received[0] = nil
		until(t, "some values", func() bool { return len(m.received[0]) > 0 }, m)
		must(t, m.Seek(0, last))
		m.received[0], m.ended[0] = nil, false
		until(t, "the end after the seek", func() bool { return m.ended[0] }, m)
		if !slices.Equal(m.received[0], values[len(values)-1:]) {
			t.Errorf("%d values came after a seek to the last one", len(m.received[0]))
		}
	})
}
