package processor

import (
	"cmp"
	"slices"
	"time"

	"parallax.example/internal/view"
	"parallax.example/services/processor/task"
)

// The profiles: what to be good at. Each gives the pace of the loop; a flag of
// its own replaces one part of it.
//
//   - latency: an answer is visible as soon as can be. The row of a window that has
//     closed is committed at once: it will not change, and somebody waits for it.
//     Rows of open windows gather for as long as a commit takes or two: each of
//     these transactions costs the broker far more than the rows in it. Where no
//     view has such rows, what is left to commit between two answers is only what a
//     crash would do again.
//   - balanced: ten transactions a second. Their cost is some percent.
//   - throughput: few and large ones, for a backlog or where half a second is soon
//     enough.
//
// A poll returns as soon as there is a record in any of them: fetch wait is how
// long a broker holds back an answer that would be empty, and linger only delays
// what goes out before a commit, which sends everything at once.
var profiles = map[string]task.Pace{
	"latency":    {CommitInterval: 10 * time.Millisecond, Prompt: true, CommitRecords: 8192, FetchWait: 20 * time.Millisecond, Linger: time.Millisecond},
	"balanced":   {CommitInterval: 100 * time.Millisecond, CommitRecords: 65_536, FetchWait: 20 * time.Millisecond, Linger: 5 * time.Millisecond},
	"throughput": {CommitInterval: 500 * time.Millisecond, CommitRecords: 262_144, FetchWait: 50 * time.Millisecond, Linger: 20 * time.Millisecond},
}

// quiet is how often a prompt loop commits what no reader waits for.
const quiet = 100 * time.Millisecond

// paceFor is pace, for these views.
func (c *Config) paceFor(views *view.File) task.Pace {
	p := c.pace()
	if p.Prompt && c.CommitInterval == 0 && !slices.ContainsFunc(views.Views, func(v view.View) bool { return !v.FinalOnly }) {
		p.CommitInterval = quiet
	}
	return p
}

// pace is the profile's, but for what was set by itself.
func (c *Config) pace() task.Pace {
	p := profiles[cmp.Or(c.Profile, "balanced")]
	return task.Pace{
		Prompt:         p.Prompt,
		CommitInterval: cmp.Or(c.CommitInterval, p.CommitInterval),
		CommitRecords:  cmp.Or(c.BatchRecords, p.CommitRecords),
		FetchWait:      cmp.Or(c.FetchWait, p.FetchWait),
		Linger:         cmp.Or(c.Linger, p.Linger),
	}
}
