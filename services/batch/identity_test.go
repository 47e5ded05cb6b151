package batch

import "testing"

// What a producer costs depends on what it sent.
func TestMemoryOfSightings(t *testing.T) {
	for _, n := range []int{1, 2, 100, 10 * fullBlock} {
		var s sightings
		for i := range n {
			s.add(sighting{seq: uint64(i), offset: int64(i)})
		}
		held, at := 0, 0
		for _, b := range s.blocks {
			held += cap(b)
			for _, x := range b {
				if x.offset != int64(at) {
					t.Fatalf("of %d sightings, number %d is %+v", n, at, x)
				}
				at++
			}
		}
		if at != n || held > 3*n+leastBlock {
			t.Errorf("%d sightings: %d are there, room for %d is held", n, at, held)
		}
	}
}
