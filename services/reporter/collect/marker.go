package collect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parallax.example/internal/view"
	"parallax.example/services/reporter/compare"
)

// marker is what a value of parallax.markers says of a changed view, or of input
// that was taken in again or left out. Other kinds of markers, and their fields,
// are passed over.
type marker struct {
	Kind      string `json:"kind"`
	View      string `json:"view"` // view.View.ID
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // the first one that the view counts by this definition, or of the input
	Until     int64  `json:"until"`  // the end of the input
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
		s.resumed = append(s.resumed, compare.Resumption{Partition: m.Partition, From: m.Offset, Until: m.Until, Skipped: m.Kind == "skipped"})
		return nil
	case "view-reset", "view-rebuilt", "view-dropped":
	default:
		return nil
	}
	if m.View == "" || m.Partition < 0 || m.Offset < 0 {
		return fmt.Errorf("cannot decode marker %.200q: it needs a view, a partition and an offset from 0", b)
	}
	s.changed[nameOf(m.View)] = true
	if m.Kind == "view-rebuilt" {
		at := part{m.View, m.Partition}
		s.rebuilt[at] = max(s.rebuilt[at], m.Offset)
	}
	if m.Kind == "view-reset" && s.views[m.View] != nil {
		s.resets = append(s.resets, compare.Reset{View: m.View, Partition: m.Partition, Offset: m.Offset})
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
	part
	offset int64
	span   view.Span
}

// rebuilds says whether a rebuild may have said again what the view answers at an
// offset: one was finished, and another may have gone before it, unfinished or
// for an earlier time of the same definition.
func (s *State) rebuilds(view string, partition int32, offset int64) bool {
	return offset < s.rebuilt[part{view, partition}]
}

// repeats says whether a row may follow another one out of order: both were told
// of input that was taken in again, or a window that closed in input that was
// left out closed once more.
func (s *State) repeats(d disorder) bool {
	return slices.ContainsFunc(s.resumed, func(r compare.Resumption) bool {
		return r.Partition == d.partition && d.last >= r.From && (r.Skipped && d.last < r.Until && d.next >= r.Until || !r.Skipped && d.next >= r.From)
	})
}

func nameOf(id string) string {
	name, _, _ := strings.Cut(id, "@")
	return name
}

// stranger refuses what is said of a view that nobody asks for, unless it is an
// earlier definition of a view that was changed since.
func (s *State) stranger(who string, id []byte) error {
	if s.changed[nameOf(string(id))] {
		return nil
	}
	return &compare.Refusal{
		Reason: fmt.Sprintf("%s the view %q, which is not in this views.yaml", who, id),
		Advice: "Use the views.yaml that the processor runs with, or another topic prefix.",
	}
}
