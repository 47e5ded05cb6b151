package batch

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"parallax.example/internal/lake"
	"parallax.example/internal/view"
	"parallax.example/services/batch/scan"
)

// identities are the offsets of a partition's events whose identity excludes
// them, ascending. An offset may stand in both.
type identities struct {
	repeated []int64 // the id stands before them in the partition
	stale    []int64 // a seq more than the horizon above stands before them
}

// sighting is one event of one producer.
type sighting struct {
	seq    uint64
	offset int64
}

// sightings are the events of one producer, as they came.
type sightings struct {
	blocks    [][]sighting
	disturbed bool // a seq is not above the one before it
}

// Blocks double from the least to the full size: many producers have few
// events, and some have many.
const (
	leastBlock = 4
	fullBlock  = 1 << 14
)

func (s *sightings) add(x sighting) {
	n, size := len(s.blocks), leastBlock
	if n > 0 {
		b := s.blocks[n-1]
		s.disturbed = s.disturbed || x.seq <= b[len(b)-1].seq
		if len(b) < cap(b) {
			s.blocks[n-1] = append(b, x)
			return
		}
		size = min(2*cap(b), fullBlock)
	}
	s.blocks = append(s.blocks, append(make([]sighting, 0, size), x))
}

// identify reads a partition's ids. It holds 16 bytes for each event; spilling
// sorted runs by producer would begin here.
func identify(ctx context.Context, dir *lake.Dir, manifests []*lake.Manifest, cut int64) (identities, error) {
	var byProducer []sightings
	rows := scan.NewIdentities(dir, manifests, cut)
	for {
		r, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return identities{}, err
		}
		for i, p := range r.Producers {
			if p < 0 {
				continue
			}
			for int(p) >= len(byProducer) {
				byProducer = append(byProducer, sightings{})
			}
			byProducer[p].add(sighting{r.Seqs[i], r.Offsets[i]})
		}
	}
	var found identities
	for _, s := range byProducer {
		if s.disturbed { // else every seq is new and above all before it
			found.sift(slices.Concat(s.blocks...))
		}
	}
	slices.Sort(found.repeated)
	slices.Sort(found.stale)
	return found, nil
}

// sift finds what one producer repeated or sent too late. Sorted by seq and
// offset, the repetitions of an id lie behind its first sighting, and an event
// is stale when among all sightings more than the horizon above its seq the
// least offset is below its own.
func (d *identities) sift(s []sighting) {
	slices.SortFunc(s, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.offset, b.offset))
	})
	for i := 1; i < len(s); i++ {
		if s[i].seq == s[i-1].seq {
			d.repeated = append(d.repeated, s[i].offset)
		}
	}
	above, least := len(s), int64(0) // s[above:] is beyond the horizon; least of its offsets
	for i := len(s) - 1; i >= 0; i-- {
		for above-1 > i && s[above-1].seq-s[i].seq > view.Horizon {
			above--
			if above == len(s)-1 || s[above].offset < least {
				least = s[above].offset
			}
		}
		if above < len(s) && least < s[i].offset {
			d.stale = append(d.stale, s[i].offset)
		}
	}
}
