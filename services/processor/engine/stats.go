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
	Watermark   int64  // µs UTC; NoWatermark before anything is believed
	Keys        int    // with an open cell in some view
	Producers   int    // with an id, ever seen
	Bytes       uint64 // about the memory that the state takes
	Views       []ViewStats
}

// ViewStats are a view's totals. The placements of the valid events, from offset
// Since on, are Counted + Late.
type ViewStats struct {
	View    string // view.View.ID
	Since   int64  // the offset it counts from
	Counted uint64 // placements
	Late    uint64 // placements
	Cells   uint64 // open now: one for each key of a pane (one hop of the view's windows) or session
	Open    uint64 // panes or sessions open now
	Pending uint64 // of the counted placements: those in windows and sessions open now
}

// Stats returns the totals, including those of the open transaction.
func (e *Engine) Stats() Stats {
	var s Stats
	s.copyFrom(&e.stats)
	s.Watermark, s.Keys, s.Producers = e.clock.watermark, e.keys.open, e.dedup.names.len()
	// A name is about a hundred bytes with its text and its places in the indexes.
	s.Bytes = uint64(s.Keys+s.Producers)*100 + e.dedup.size.blocks*(blockSeqs/8)
	for i := range e.views {
		v, stats := &e.views[i], &s.Views[i]
		stats.Open = uint64(len(v.panes.open()))
		each := uint64(64 + 8)
		if v.isSession() {
			stats.Open, each = stats.Cells, 64+8+24+16
		}
		// A sketch takes about four times as much as its bytes in the changelog.
		s.Bytes += stats.Cells*each + 4*v.encoded + v.panes.runs.memory()
	}
	return s
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
