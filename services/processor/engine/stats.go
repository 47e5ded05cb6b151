package engine

// Stats are the partition's totals over the whole prefix. Records is the sum of
// the five that follow it.
type Stats struct {
	Records     uint64
	Valid       uint64
	Duplicates  uint64
	Stale       uint64
	DeadLetters uint64
	Punctuation uint64
	Watermark   int64 // µs UTC; NoWatermark before anything is believed
	Producers   int   // with an id, ever seen
	Views       []ViewStats
}

// ViewStats are a view's totals. The placements of the valid events are
// Counted + Late.
type ViewStats struct {
	View    string // view.View.ID
	Counted uint64 // placements
	Late    uint64 // placements
	Cells   uint64 // open now
	Pending uint64 // of the counted placements: those in cells open now
}

// copyFrom makes s equal to t, in s's own memory.
func (s *Stats) copyFrom(t *Stats) {
	views := append(s.Views[:0], t.Views...)
	*s = *t
	s.Views = views
}

// Meta is the last record of each transaction in the changelog: up to where the
// state has come, and what it must consist of.
type Meta struct {
	Next        int64  // the next input offset
	Transaction uint64 // the transactions committed up to here
	Records     uint32 // that this transaction wrote to results, excluded and dead letters
	Changes     uint32 // that this transaction wrote to the changelog before this one
	TopicID     string // as given to SetSource
	Partitions  int32  // as given to SetSource
	Stats
}
