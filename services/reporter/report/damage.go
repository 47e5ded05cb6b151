package report

// Damage is what a stream without exactly once says of its own deaths, and what
// came of it beside the cells that are damaged.
type Damage struct {
	Ranges    []Range `json:"ranges"`     // in the order in which the stream told of them
	ToldAgain uint64  `json:"told_again"` // exclusions and dead letters beyond the first, or of events that had been counted
	NotTold   uint64  `json:"not_told"`   // exclusions and dead letters that are missing
}

// Range is a part of a partition's input that came again, or was left out. Which
// cells it reached depends on what had been written before the death.
type Range struct {
	Kind      string `json:"kind"` // the cause: counted-again, not-counted
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`  // offset
	Until     int64  `json:"until"` // the first offset behind it
}

// damage counts the cells that are damaged, and says whether anything is.
func (r *Report) damage() (cells int, any bool) {
	for i := range r.Views {
		cells += r.Views[i].Cells.Damaged
	}
	return cells, cells > 0 || r.Damage != nil && r.Damage.ToldAgain+r.Damage.NotTold > 0
}
