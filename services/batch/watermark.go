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

// steps is a step function of a partition: the record at offsets[i] brought the
// watermark to times[i]. Both ascend.
type steps struct{ times, offsets []int64 }

// at returns the offset of the record that brought the watermark to t, or never.
func (s *steps) at(t int64) int64 {
	i, _ := slices.BinarySearch(s.times, t)
	if i == len(s.times) {
		return never
	}
	return s.offsets[i]
}

func (s *steps) add(t, offset int64) {
	s.times, s.offsets = append(s.times, t), append(s.offsets, offset)
}

// walk asks steps for the watermarks before ascending offsets.
type walk struct {
	*steps
	next int // the first step that is not below the last offset
}

// noWatermark is the watermark of a partition in which nothing is believed yet.
const noWatermark = math.MinInt64

// before returns the watermark before the record at offset. It looks near the
// last answer first: offsets lie close together within a file, and far apart
// where a file skips to another.
func (w *walk) before(offset int64) int64 {
	n := 1
	for w.next+n <= len(w.offsets) && w.offsets[w.next+n-1] < offset {
		w.next += n
		n *= 2
	}
	i, _ := slices.BinarySearch(w.offsets[w.next:min(w.next+n-1, len(w.offsets))], offset)
	if w.next += i; w.next == 0 {
		return noWatermark
	}
	return w.times[w.next-1]
}

// closings tells, for one view in one partition, at which offset a window closed.
// Of windows on a grid only the steps that close one are kept, so a wild clock
// that closes a century costs one entry. Sessions end anywhere: their views share
// every step of the watermark.
type closings struct {
	lateness int64
	hop      int64 // of the grid; 0 for sessions
	*steps
}

// at returns the offset of the record that closed the windows ending at end,
// or never. A placement is late when its own offset is above it.
func (c *closings) at(end int64) int64 { return c.steps.at(end + c.lateness) }

// rise notes that the record at offset raised the watermark.
func (c *closings) rise(watermark, offset int64) {
	if n := len(c.times); n > 0 && watermark < c.times[n-1]+c.hop {
		return
	}
	// Windows end at multiples of the hop: the last of those that are closed now
	// was so from this watermark on.
	c.add(floorDivide(watermark-c.lateness, c.hop)*c.hop+c.lateness, offset)
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
	rises     *steps     // of the watermark; nil unless a view has sessions
}

// follow reads a partition's times in offset order. excluded are the offsets of
// events that are not valid, signals the accepted punctuations; both ascend.
func follow(ctx context.Context, dir *lake.Dir, manifests []*lake.Manifest, cut int64, f *view.File, excluded []int64, signals []lake.Punctuation) (*timeline, error) {
	t := &timeline{}
	for i := range f.Views {
		v := &f.Views[i]
		c := closings{lateness: v.Lateness, hop: v.Window.Hop, steps: &steps{}}
		if v.Window.Kind == view.Session {
			if t.rises == nil {
				t.rises = c.steps
			}
			c.steps = t.rises
		}
		t.closings = append(t.closings, c)
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
		if c := &t.closings[i]; c.hop > 0 {
			c.rise(watermark, offset)
		}
	}
	if t.rises != nil {
		t.rises.add(watermark, offset)
	}
}
