package engine

import (
	"math"

	"parallax.example/internal/view"
)

// NoWatermark is the watermark while nothing is believed yet.
const NoWatermark int64 = math.MinInt64

// clock is the rule of the watermark. Of the last m times only those above the
// believed time can ever matter, and they are fewer than q: as soon as q of
// them stand there, the smallest becomes the believed time.
type clock struct {
	rule      *view.Time
	watermark int64
	believed  int64   // the largest time that q of m consecutive events have reached
	seen      int64   // valid events so far
	ahead     []stamp // times above believed among the last m, in order of arrival
}

type stamp struct {
	position int64 // which of the valid events, from 1
	time     int64
}

func newClock(rule *view.Time) clock {
	return clock{rule: rule, watermark: NoWatermark, believed: math.MinInt64}
}

// event takes a valid event's time in.
func (c *clock) event(t int64) {
	c.seen++
	if len(c.ahead) > 0 && c.seen-c.ahead[0].position == int64(c.rule.Of) { // only one at a time grows too old
		c.ahead = c.ahead[:copy(c.ahead, c.ahead[1:])]
	}
	if t <= c.believed {
		return
	}
	c.ahead = append(c.ahead, stamp{c.seen, t})
	if len(c.ahead) < c.rule.Count {
		return
	}
	c.believed = c.ahead[0].time
	for _, s := range c.ahead {
		c.believed = min(c.believed, s.time)
	}
	kept := c.ahead[:0]
	for _, s := range c.ahead {
		if s.time > c.believed {
			kept = append(kept, s)
		}
	}
	c.ahead = kept
	c.raise(c.believed - c.rule.Lag)
}

// raise sets the watermark unless it would go back.
func (c *clock) raise(w int64) { c.watermark = max(c.watermark, w) }

// copyFrom makes c equal to d, in c's own memory.
func (c *clock) copyFrom(d *clock) {
	ahead := append(c.ahead[:0], d.ahead...)
	*c = *d
	c.ahead = ahead
}
