package task

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"parallax.example/services/processor/engine"
)

// Counters are what a loop has done, for display. Any goroutine may read them.
type Counters struct {
	mu         sync.Mutex
	partitions map[int32]Counts
}

// Counts are a partition's figures since this process began, and its totals as
// of the last commit.
type Counts struct {
	Partition    int32
	Owned        bool
	Transactions uint64    // committed
	Aborts       uint64    // rolled back, for whatever reason
	Recreated    uint64    // producers made anew
	Commits      Durations // of commits, from the flush of the state to the outcome
	Offset       int64     // the next input offset

	engine.Stats // over the whole prefix of the partition, up to the last commit
}

// Bounds are the upper bounds of the buckets of Durations, in seconds.
var Bounds = [...]float64{0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10}

// Durations are a histogram of times.
type Durations struct {
	Count   uint64
	Sum     float64             // seconds
	Buckets [len(Bounds)]uint64 // how many were within each bound, so each counts what the one before counts
}

func (d *Durations) add(took time.Duration) {
	seconds := took.Seconds()
	d.Count++
	d.Sum += seconds
	for i, bound := range Bounds {
		if seconds <= bound {
			d.Buckets[i]++
		}
	}
}

// Snapshot returns the figures of every partition that was ever owned.
func (c *Counters) Snapshot() []Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.partitions), func(a, b Counts) int { return cmp.Compare(a.Partition, b.Partition) })
}

func (c *Counters) edit(partition int32, change func(*Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.partitions == nil {
		c.partitions = make(map[int32]Counts)
	}
	n := c.partitions[partition]
	n.Partition = partition
	change(&n)
	c.partitions[partition] = n
}
