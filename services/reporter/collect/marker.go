package collect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parallax.example/services/reporter/compare"
)

// marker is what a value of parallax.markers says of a changed view, or of input
// that was taken in again or left out. Other kinds of markers, and their fields,
// are passed over.
type marker struct {
	Kind      string `json:"kind"`
	View      string `json:"view"` // view.View.ID
	Partition int32  `json:"partition"`
	// Offset is the first one that the view counts by this definition, which is
	// unknown while it is rebuilt; or the first one of the input.
	Offset int64 `json:"offset"`
	Until  int64 `json:"until"` // the end of the input
	// Transaction is the number of the batch that a death tore: it alone was told twice.
	Transaction uint64 `json:"transaction"`
}

// Marker takes one message of parallax.markers in.
func (s *State) Marker(b []byte) error {
	var m marker
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("cannot decode marker %.200q: %w", b, err)
	}
	switch m.Kind {
	case "taken-again", "skipped":
		if m.Partition < 0 || m.Offset < 0 || m.Until < m.Offset {
			return fmt.Errorf("cannot decode marker %.200q: it needs a partition and a range of offsets", b)
		}
		s.resumed = append(s.resumed, compare.Resumption{Partition: m.Partition, From: m.Offset, Until: m.Until, Transaction: m.Transaction, Skipped: m.Kind == "skipped"})
		return nil
	case "view-reset", "view-rebuilding", "view-rebuilt", "view-dropped":
	default:
		return nil
	}
	if m.View == "" || m.Partition < 0 || m.Offset < 0 {
		return fmt.Errorf("cannot decode marker %.200q: it needs a view, a partition and an offset from 0", b)
	}
	s.changed[nameOf(m.View)] = true
	at := part{m.View, m.Partition}
	switch m.Kind {
	case "view-rebuilding":
		s.rebuilding[at] = true
	case "view-rebuilt":
		delete(s.rebuilding, at)
		s.rebuilt[at] = max(s.rebuilt[at], m.Offset)
	case "view-reset":
		delete(s.rebuilding, at) // it was given up
		if s.views[m.View] != nil {
			s.resets = append(s.resets, compare.Reset{View: m.View, Partition: m.Partition, Offset: m.Offset})
		}
	}
	return nil
}

// part is a view in one partition.
type part struct {
	view      string // view.View.ID
	partition int32
}

// placement is an event in a window of a view.
type placement struct {
	view          *viewState
	partition     int32
	offset, start int64
}

// rebuilds says whether a rebuild may have said again what the view answers at an
// offset: one is under way; or one was finished, and another may have gone before
// it, unfinished or for an earlier time of the same definition.
func (s *State) rebuilds(view string, partition int32, offset int64) bool {
	at := part{view, partition}
	return s.rebuilding[at] || offset < s.rebuilt[at]
}

// repeats says whether a row may follow another one out of order: one of them was
// told by a batch that a death tore, whose input was taken in again, or a window
// that closed in input that was left out closed once more.
func (s *State) repeats(d disorder) bool {
	last, next := &d.last, &d.next
	return slices.ContainsFunc(s.resumed, func(r compare.Resumption) bool {
		if r.Partition != d.cell.Partition || last.offset < r.From {
			return false
		}
		if r.Skipped {
			return last.transaction == r.Transaction && last.offset < r.Until && next.offset >= r.Until
		}
		return next.offset >= r.From && (last.transaction == r.Transaction || next.transaction == r.Transaction)
	})
}

func nameOf(id string) string {
	name, _, _ := strings.Cut(id, "@")
	return name
}
