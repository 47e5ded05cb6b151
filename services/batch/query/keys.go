package query

import (
	"slices"
	"sync"

	"parallax.example/internal/parquet"
)

// keys numbers the keys of all tasks in the order in which they are met.
type keys struct {
	mu      sync.Mutex
	numbers map[string]uint32
	names   []string
}

// translate appends the numbers of a dictionary's values from code len(to) on.
func (k *keys) translate(to []uint32, d *parquet.Dictionary) []uint32 {
	if len(to) == d.Len() {
		return to
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for code := len(to); code < d.Len(); code++ {
		name := d.Value(int32(code))
		n, known := k.numbers[string(name)]
		if !known {
			n = uint32(len(k.names))
			s := string(name)
			k.numbers[s] = n
			k.names = append(k.names, s)
		}
		to = append(to, n)
	}
	return to
}

// sorted gives the names in their order, and the place of each number in it.
func (k *keys) sorted() (names []string, rank []uint32) {
	order := make([]uint32, len(k.names))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		if k.names[a] < k.names[b] {
			return -1
		}
		return 1 // no two are equal
	})
	names, rank = make([]string, len(order)), make([]uint32, len(order))
	for place, n := range order {
		names[place], rank[n] = k.names[n], uint32(place)
	}
	return names, rank
}
