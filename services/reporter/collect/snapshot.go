package collect

import (
	"cmp"
	"maps"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/services/reporter/report"
)

// Snapshot is the stream's answer so far, for a page.
type Snapshot struct {
	Views       []ViewSnapshot // in the order of views.yaml
	Duplicates  uint64
	Stale       uint64
	DeadLetters uint64
	Partitions  []Progress      // by partition; nil until first asked
	Watermarks  map[int32]int64 // µs UTC, as far as committed rows tell
	Finals      report.Latency
	Faults      int
	Err         error // why collecting ended early, or what no marker explains so far
}

// ViewSnapshot is one view's closed windows so far.
type ViewSnapshot struct {
	ID, Name string
	Words    string // of its window
	Stages   report.Stages
	Total    result.Plain // of the final rows
	Late     result.Plain // late placements
	Windows  []Window     // by start, over all keys
}

// Window is all keys of one window, or of a slot of sessions (report.Slot).
type Window struct {
	Start int64 // µs UTC
	Agg   result.Plain
}

// Snapshot copies what is known now.
func (k *Collector) Snapshot() Snapshot {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.state.Snapshot()
	s.Partitions = slices.Clone(k.progress)
	s.Err = cmp.Or(k.err, s.Err)
	return s
}

// Snapshot copies what is known now; what only Kafka knows is left empty.
func (s *State) Snapshot() Snapshot {
	out := Snapshot{
		Duplicates: s.duplicates, Stale: s.stale, DeadLetters: uint64(len(s.dead)),
		Watermarks: maps.Clone(s.watermarks), Finals: s.finals.Report(), Err: s.strange(),
		Faults: len(s.disorders()) + s.more,
	}
	late := map[string]result.Plain{}
	for _, x := range s.doubled() {
		sum := late[x.View]
		sum.Add(x.Value)
		late[x.View] = sum
	}
	for _, v := range s.ordered {
		one := ViewSnapshot{ID: v.View.ID(), Name: v.View.Name, Words: report.WindowWords(v.View.Window), Stages: v.Stages, Total: v.Total, Late: v.Late}
		one.Late.Merge(late[one.ID])
		for _, start := range slices.Sorted(maps.Keys(v.Windows)) {
			one.Windows = append(one.Windows, Window{Start: start, Agg: v.Windows[start]})
		}
		out.Views = append(out.Views, one)
	}
	return out
}
