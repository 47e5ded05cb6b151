package batch

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"

	"parallax.example/internal/lake"
	"parallax.example/internal/view"
	"parallax.example/services/batch/scan"
)

// never is the closing offset of a window that is open at the cut.
const never = math.MaxInt64

// closings is, for one view in one partition, the step function from window
// ends to the offset of the record that closed the window. Both ascend; only
// steps are kept, so a wild clock that closes a century costs one entry.
type closings struct {
	lateness, hop int64
	ends          []int64 // every window that ends here or before …
	offsets       []int64 // … was closed by the record at this offset, or earlier
}

// at returns the offset of the record that closed the windows ending at end,
// or never. A placement is late when its own offset is above it.
func (c *closings) at(end int64) int64 {
	i, _ := slices.BinarySearch(c.ends, end)
	if i == len(c.ends) {
		return never
	}
	return c.offsets[i]
}

// rise notes that the record at offset raised the watermark.
func (c *closings) rise(watermark, offset int64) {
	limit := watermark - c.lateness // windows ending here or before are closed
	if n := len(c.ends); n > 0 && limit < c.ends[n-1]+c.hop {
		return
	}
	// Windows end at multiples of the hop.
	c.ends = append(c.ends, floorDivide(limit, c.hop)*c.hop)
	c.offsets = append(c.offsets, offset)
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// recent holds the last event times, as they came and sorted.
type recent struct {
	count, of int
	ring      []int64
	next      int // where the ring is written next, once it is full
	sorted    []int64
}

// add takes the next time and returns the time that count of the last ones have
// reached; ok is false while they are too few.
func (r *recent) add(t int64) (believed int64, ok bool) {
	if len(r.ring) < r.of {
		r.ring = append(r.ring, t)
		i, _ := slices.BinarySearch(r.sorted, t)
		r.sorted = slices.Insert(r.sorted, i, t)
	} else {
		old := r.ring[r.next]
		r.ring[r.next] = t
		if r.next++; r.next == r.of {
			r.next = 0
		}
		r.replace(old, t)
	}
	if len(r.sorted) < r.count {
		return 0, false
	}
	return r.sorted[len(r.sorted)-r.count], true
}

// replace takes old out and t in, moving only what lies between them.
func (r *recent) replace(old, t int64) {
	s := r.sorted
	i, _ := slices.BinarySearch(s, old)
	j, _ := slices.BinarySearch(s, t)
	if i < j {
		j--
		copy(s[i:j], s[i+1:j+1])
	} else {
		copy(s[j+1:i+1], s[j:i])
	}
	s[j] = t
}

// timeline is how far a partition's event time has come, and what that closed.
type timeline struct {
	watermark int64
	believed  bool       // there is a watermark
	events    int64      // rows below the cut
	closings  []closings // per view
}

// follow reads a partition's times in offset order. excluded are the offsets of
// events that are not valid, signals the accepted punctuations; both ascend.
func follow(ctx context.Context, dir *lake.Dir, manifests []*lake.Manifest, cut int64, f *view.File, excluded []int64, signals []lake.Punctuation) (*timeline, error) {
	t := &timeline{}
	for i := range f.Views {
		t.closings = append(t.closings, closings{lateness: f.Views[i].Lateness, hop: f.Views[i].Window.Hop})
	}
	window := recent{count: f.Time.Count, of: f.Time.Of}
	rows := scan.NewTimes(dir, manifests, cut)
	for {
		r, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		t.events += int64(len(r.Offsets))
		for i, offset := range r.Offsets {
			for len(signals) > 0 && signals[0].Offset < offset {
				t.raise(signals[0].Watermark, signals[0].Offset)
				signals = signals[1:]
			}
			if len(excluded) > 0 && excluded[0] == offset {
				excluded = excluded[1:]
				continue
			}
			if believed, ok := window.add(r.Times[i]); ok {
				t.raise(believed-f.Time.Lag, offset)
			}
		}
	}
	for _, s := range signals {
		t.raise(s.Watermark, s.Offset)
	}
	return t, nil
}

func (t *timeline) raise(watermark, offset int64) {
	if t.believed && watermark <= t.watermark {
		return
	}
	t.watermark, t.believed = watermark, true
	for i := range t.closings {
		t.closings[i].rise(watermark, offset)
	}
}
