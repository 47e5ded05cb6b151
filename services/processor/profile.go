package processor

import (
	"cmp"
	"time"

	"parallax.example/services/processor/task"
)

// The profiles: what to be good at. Each gives the pace of the loop; a flag of
// its own replaces one part of it.
//
//   - latency: an answer is visible as soon as can be. A commit takes some 4 ms,
//     in which the partition's input gathers; a few ms more of gathering would only
//     add to the wait. Transactions are small and many, which costs the broker and
//     this process.
//   - balanced: ten transactions a second. Their cost is some percent.
//   - throughput: few and large ones, for a backlog or where half a second is soon
//     enough.
//
// A poll returns as soon as there is a record in any of them: fetch wait is how
// long a broker holds back an answer that would be empty, and linger only delays
// what goes out before a commit, which sends everything at once.
var profiles = map[string]task.Pace{
	"latency":    {CommitInterval: 2 * time.Millisecond, CommitRecords: 8192, FetchWait: 20 * time.Millisecond, Linger: time.Millisecond},
	"balanced":   {CommitInterval: 100 * time.Millisecond, CommitRecords: 65_536, FetchWait: 20 * time.Millisecond, Linger: 5 * time.Millisecond},
	"throughput": {CommitInterval: 500 * time.Millisecond, CommitRecords: 262_144, FetchWait: 50 * time.Millisecond, Linger: 20 * time.Millisecond},
}

// pace is the profile's, but for what was set by itself.
func (c *Config) pace() task.Pace {
	p := profiles[cmp.Or(c.Profile, "balanced")]
	return task.Pace{
		CommitInterval: cmp.Or(c.CommitInterval, p.CommitInterval),
		CommitRecords:  cmp.Or(c.BatchRecords, p.CommitRecords),
		FetchWait:      cmp.Or(c.FetchWait, p.FetchWait),
		Linger:         cmp.Or(c.Linger, p.Linger),
	}
}
