package collect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"parallax.example/services/reporter/compare"
)

// Markers and rows lie in different topics and are read in no common order. So
// what only a marker can explain is a doubt: it is kept, and judged by the markers
// that are known when somebody asks.

// stranger notes that something is said of a view that nobody asks for.
func (s *State) stranger(who string, id []byte) { s.strangers[s.shared(id)] = who }

// strange refuses what is said of a view that nobody asks for, unless it is
// another definition of a view that was changed.
func (s *State) strange() error {
	for _, id := range slices.Sorted(maps.Keys(s.strangers)) {
		if !s.changed[nameOf(id)] {
			return &compare.Refusal{
				Reason: fmt.Sprintf("%s the view %q, which is not in this views.yaml", s.strangers[id], id),
				Advice: "Use the views.yaml that the processor runs with, or another topic prefix.",
			}
		}
	}
	return nil
}

// Whole says whether all that was taken in is an answer to these views. It is to
// be asked before Stream's answer is believed.
func (s *State) Whole() error {
	if err := s.strange(); err != nil {
		return err
	}
	unfinished := slices.SortedFunc(maps.Keys(s.rebuilding), func(a, b part) int {
		return cmp.Or(cmp.Compare(a.view, b.view), cmp.Compare(a.partition, b.partition))
	})
	for _, at := range unfinished {
		if s.views[at.view] != nil {
			return &compare.Refusal{
				Reason: fmt.Sprintf("the view %q is being rebuilt in partition %d: its answer is not whole yet", at.view, at.partition),
				Advice: "Let `parallax processor rebuild` come to its end (type it again if it was interrupted), or use the views.yaml that the processor runs with.",
			}
		}
	}
	return nil
}

// doubled are the late placements that were told again, and that no marker of a
// rebuild explains.
func (s *State) doubled() (list []compare.Exclusion) {
	for _, x := range s.again {
		if !s.rebuilds(x.View, x.Partition, x.Offset) {
			list = append(list, x)
		}
	}
	return list
}
