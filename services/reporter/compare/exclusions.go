package compare

import (
	"cmp"
	"fmt"
	"slices"

	"parallax.example/internal/result"
	"parallax.example/services/reporter/report"
)

// exclusions checks that the stream left out exactly what the batch says it
// had to, that what it says of each event is what the log says, and puts the
// late and stale ones into their cells.
func (c *comparison) exclusions() {
	list := slices.DeleteFunc(slices.Clone(c.in.Stream.Exclusions), func(x Exclusion) bool {
		return c.cut[x.Partition] != nil && !c.below(x.Partition, x.Offset)
	})
	slices.SortFunc(list, func(a, b Exclusion) int {
		return cmp.Or(a.judgement().compare(b.judgement()), cmp.Compare(a.Transaction, b.Transaction))
	})
	c.in.Stream.Exclusions = list
	judged := slices.SortedFunc(slices.Values(c.in.Batch.Judgements), Judgement.compare)
	c.judged = judged
	c.follow(list)

	i, k := 0, 0
	for i < len(list) || k < len(judged) {
		var order int
		switch {
		case k == len(judged):
			order = -1
		case i == len(list):
			order = 1
		default:
			order = list[i].judgement().compare(judged[k])
		}
		if order <= 0 {
			x, at := &list[i], place{list[i].Partition, list[i].Offset}
			twice := i > 0 && list[i-1].judgement() == x.judgement()
			agreed := k > 0 && judged[k-1] == x.judgement() // with the one before
			switch {
			case agreed && twice && c.toldAgain(at, list[i-1].Transaction, x.Transaction):
				c.toldTwice++
			case order < 0 && !agreed && c.within(at, false):
				c.kept[x.judgement()]++ // as it came again
				c.toldTwice++
			case twice:
				c.misjudged(x.judgement(), &x.Event, "was left out by the stream twice as %s")
				c.place(x)
			case order < 0 && c.saysAfterLoss(x.judgement()):
				c.otherwise++
				c.located(x)
			case order < 0:
				c.misjudged(x.judgement(), &x.Event, "was left out by the stream as %s, and the batch does not say so")
				c.place(x)
			default:
				c.place(x)
			}
			i++
		}
		if order >= 0 {
			if order > 0 {
				j := judged[k]
				at := place{j.Partition, j.Offset}
				x, known := c.lostExclusion(j)
				switch {
				case known && c.within(at, true):
					c.notTold++
					c.place(&x)
				case known && c.missesAfterLoss(at):
					c.otherwise++
					c.place(&x)
				default:
					c.misjudged(j, c.at(j.Partition, j.Offset), "had to be left out as %s, and the stream does not list it")
				}
			}
			k++
		}
	}
	c.copies(list)
	c.doubts()
}

// misjudged reports a judgement that only one side has; what holds one %s.
func (c *comparison) misjudged(j Judgement, e *Event, what string) {
	if e == nil {
		e = &Event{Partition: j.Partition, Offset: j.Offset}
	}
	f := report.Fault{
		Check:  checkExclusions,
		What:   "the event " + e.called() + " " + fmt.Sprintf(what, j.Cause),
		Events: []report.EventRef{ref(e)},
	}
	switch {
	case j.Cause == result.Late && c.views[j.View] != nil:
		name := result.Cell{View: j.View, Key: e.Key, Span: j.Span, Partition: j.Partition}
		if e.Key == "" {
			c.fault(c.inCell(name, f))
		} else {
			c.faultIn(name, f)
		}
	case e.Key != "":
		c.blame(e, f.Check, f.What)
	default:
		c.fault(f)
	}
}

// located checks an exclusion against the log, and returns the log's event.
func (c *comparison) located(x *Exclusion) *Event {
	e := c.at(x.Partition, x.Offset)
	switch {
	case e == nil:
		c.wrongly(x, "is not in the log")
	case !e.sameFact(&x.Event):
		c.wrongly(x, fmt.Sprintf("says %s and the log says %s", x.content(), e.content()))
	}
	return e
}

// place checks an exclusion against the log and puts it into its cells.
func (c *comparison) place(x *Exclusion) {
	e := c.located(x)
	if e == nil {
		return
	}
	switch x.Cause {
	case result.Late:
		v := c.views[x.View]
		if v == nil {
			c.wrongly(x, fmt.Sprintf("is late in view %q, which nobody asked for", x.View))
			return
		}
		first, last, step, size := laid(v.Window, x.Time)
		inside := x.Span.Start >= first && x.Span.Start <= last && (x.Span.Start-first)%step == 0 && x.Span.End == x.Span.Start+size
		if !inside {
			c.wrongly(x, fmt.Sprintf("is late in the window %s, which does not hold it", x.Span))
			return
		}
		if !v.Closed(x.Span.End, x.Watermark) {
			c.wrongly(x, fmt.Sprintf("is called late in the window %s, which the watermark %s does not close", x.Span, report.Time(x.Watermark)))
		}
		w := c.why(result.Cell{View: x.View, Key: x.Key, Span: x.Span, Partition: x.Partition})
		w.late = append(w.late, &x.Event)
		w.since = append(w.since, x.Watermark-(x.Span.End+v.Lateness))
	case result.Stale:
		// B decides exactly: a stale event that is no copy counts there.
		if c.log[e.index(c.in.Log)]&first == 0 {
			return
		}
		for name := range c.placements(&x.Event) {
			w := c.why(name)
			w.stale = append(w.stale, &x.Event)
		}
	}
}

func (c *comparison) wrongly(x *Exclusion, what string) {
	c.misjudged(x.judgement(), &x.Event, "was left out as %s and "+escape(what))
}

// escape keeps a text whole that goes through one more Sprintf.
func escape(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == '%' {
			out = append(out, '%')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// index is the event's place in the log that holds it.
func (e *Event) index(log []Event) int {
	i, _ := slices.BinarySearchFunc(log, e, func(a Event, b *Event) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return i
}

// copies checks the stream's duplicates against the whole log: every copy is
// left out, and nothing but copies.
func (c *comparison) copies(list []Exclusion) {
	out := map[place]result.Cause{}
	for i := range list {
		if x := &list[i]; x.Cause != result.Late && c.kept[x.judgement()] == 0 {
			out[place{x.Partition, x.Offset}] = x.Cause
		}
	}
	for i := range c.in.Log {
		e := &c.in.Log[i]
		cause, excluded := out[place{e.Partition, e.Offset}]
		isFirst := c.log[i]&first != 0
		switch {
		case isFirst && excluded && cause == result.Duplicate:
			c.blame(e, checkExclusions, "the event "+e.called()+" was left out by the stream as a duplicate and is the first of its id in its partition")
		case !isFirst && !excluded && !c.within(place{e.Partition, e.Offset}, true) && !c.missesAfterLoss(place{e.Partition, e.Offset}):
			c.blame(e, checkExclusions, "the event "+e.called()+" is a copy, and the stream does not list it as one")
		}
	}
}

// deadLetters checks that the stream and the lake refused the same messages.
func (c *comparison) deadLetters() {
	stream, lake := map[place]Dead{}, map[place]string{}
	for _, d := range c.in.Stream.Dead {
		if c.cut[d.Partition] != nil && !c.below(d.Partition, d.Offset) {
			continue
		}
		at := place{d.Partition, d.Offset}
		if before, twice := stream[at]; twice && c.toldAgain(at, before.Transaction, d.Transaction) {
			c.toldTwice++
		} else if twice {
			c.dead(at, "is a dead letter of the stream twice")
		}
		stream[at] = d
	}
	for _, d := range c.in.Dead {
		lake[place{d.Partition, d.Offset}] = d.Reason
	}
	for at, d := range stream {
		reason := d.Reason
		other, both := lake[at]
		switch {
		case !both:
			c.dead(at, fmt.Sprintf("is a dead letter of the stream (%s) and not of the lake", reason))
		case other != reason:
			c.dead(at, fmt.Sprintf("is a dead letter as %q for the stream and as %q for the lake", reason, other))
		}
	}
	for at, reason := range lake {
		if _, both := stream[at]; !both && c.within(at, true) {
			c.notTold++
		} else if !both {
			c.dead(at, fmt.Sprintf("is a dead letter of the lake (%s) and not of the stream", reason))
		}
	}
}

func (c *comparison) dead(at place, what string) {
	partition := at.partition
	c.fault(report.Fault{Check: checkDead, Partition: &partition,
		What: fmt.Sprintf("the message at %d/%d %s", at.partition, at.offset, what)})
}
