package report

import "strings"

// Damage is what a stream without exactly once says of its own deaths, and what
// came of it beside the cells that are damaged.
type Damage struct {
	Ranges    []Range `json:"ranges"`               // in the order in which the stream told of them
	RowsAgain uint64  `json:"rows_again,omitempty"` // final rows that were told again; the last of a cell is compared
	ToldAgain uint64  `json:"told_again"`           // exclusions and dead letters beyond the first, or of events that had been counted
	NotTold   uint64  `json:"not_told"`             // exclusions and dead letters that are missing
	// Otherwise counts exclusions beside the ranges in which the stream differs from
	// the batch, exactly as it must after what it has lost.
	Otherwise uint64 `json:"otherwise,omitempty"`
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
	return cells, cells > 0 || r.Damage != nil && r.Damage.RowsAgain+r.Damage.ToldAgain+r.Damage.NotTold+r.Damage.Otherwise > 0
}

// told says in which ways the stream told of what no cell shows.
func (d *Damage) told() string {
	var ways, left []string
	if d.RowsAgain > 0 {
		ways = append(ways, "final rows "+times(d.RowsAgain)+" again")
	}
	if d.ToldAgain > 0 {
		left = append(left, times(d.ToldAgain)+" too often")
	}
	if d.NotTold > 0 {
		left = append(left, times(d.NotTold)+" not at all")
	}
	if d.Otherwise > 0 {
		left = append(left, times(d.Otherwise)+" otherwise than the batch")
	}
	if len(left) > 0 {
		ways = append(ways, "exclusions or dead letters "+strings.Join(left, ", "))
	}
	return strings.Join(ways, ", and ")
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return Whole(n) + " times"
}
