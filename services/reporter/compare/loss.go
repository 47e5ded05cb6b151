package compare

import (
	"cmp"
	"math"
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

// A stream that has left out a range of its input goes on as if the range had
// never been there, but for the watermark, which stays the one that it had
// committed behind the range. So what comes afterwards is judged by other times
// and other ids than A judges it by: an event can be in time that A calls late, and
// late that A counts; a copy counts whose first was lost; a window closes later, or
// never if nothing follows.
//
// What such a stream must say is a function of the log and of the ranges, and the
// oracle tells it. Nothing that the stream says goes into it but the markers. It
// is read twice: as what lasts, in the end; and, for each death, as what the batch
// may have told before its state was lost.

// Advance is punctuation that counts: from its place on the watermark is at least
// this.
type Advance struct {
	Partition int32
	Offset    int64
	Watermark int64 // µs UTC
}

// loss is what follows from the ranges that were left out of one partition.
type loss struct {
	gone    []Resumption // in the order in which they were told
	lasting *reading
	torn    []*reading          // parallel to gone
	byKey   map[string][]*Event // in offset order
	follows map[int64]bool      // offsets, see follow
}

// reading is an answer to a part of a partition's messages.
type reading struct {
	*oracle.Answer
	excluded map[Judgement]bool
	gone     []Resumption // what it lacks
	from     int64        // of a torn batch: it may have told of what lies from here on,
	until    int64        // and took in nothing from here on
}

// losses finds out what follows from the ranges that were left out.
func (c *comparison) losses() {
	for _, r := range c.in.Stream.Resumed {
		if !r.Skipped || c.cut[r.Partition] == nil {
			continue
		}
		l := c.lost[r.Partition]
		if l == nil {
			l = &loss{byKey: map[string][]*Event{}, follows: map[int64]bool{}}
			c.lost[r.Partition] = l
		}
		// Who takes the partition over before anything was taken in says the same again.
		if n := len(l.gone); n == 0 || l.gone[n-1].From != r.From || l.gone[n-1].Until != r.Until {
			l.gone = append(l.gone, r)
		}
	}
	for p, l := range c.lost {
		l.recompute(c.in.Views, p, c.messages(p))
		for i := range c.in.Log {
			if e := &c.in.Log[i]; e.Partition == p {
				l.byKey[e.Key] = append(l.byKey[e.Key], e)
			}
		}
		for name := range l.lasting.Rows {
			c.cell(name) // so that its group has it, though neither side may
		}
	}
}

// sender is who sends all punctuation of a recomputed log.
const sender = "reporter"

// messages are those of a partition below the cut, for the oracle.
func (c *comparison) messages(p int32) (list []oracle.Record) {
	for i := range c.in.Log {
		e := &c.in.Log[i]
		if e.Partition != p {
			continue
		}
		value := event.AppendProto(nil, &event.Event{Producer: []byte(e.Producer), Seq: e.Seq, HasID: e.HasID,
			Key: []byte(e.Key), Subject: []byte(e.Subject), Time: e.Time, Value: e.Value})
		list = append(list, oracle.Record{Partition: p, Offset: e.Offset, Value: value})
	}
	for _, a := range c.in.Advances {
		if a.Partition == p && c.below(p, a.Offset) {
			list = append(list, advance(p, a.Offset, a.Watermark))
		}
	}
	for _, d := range c.in.Dead {
		if d.Partition == p && c.below(p, d.Offset) {
			list = append(list, oracle.Record{Partition: p, Offset: d.Offset})
		}
	}
	slices.SortFunc(list, func(a, b oracle.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	return list
}

func advance(p int32, offset, watermark int64) oracle.Record {
	return oracle.Record{Partition: p, Offset: offset, Value: event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte(sender), Watermark: watermark})}
}

// recompute goes through the deaths in their order. kept is what the state holds,
// and what is still to come.
func (l *loss) recompute(f *view.File, p int32, kept []oracle.Record) {
	views := *f
	views.Time.Senders = []string{sender}
	read := func(log []oracle.Record) *reading {
		r := &reading{Answer: oracle.Stream(&views, log), excluded: map[Judgement]bool{}, until: math.MaxInt64}
		for _, x := range r.Excluded {
			r.excluded[Judgement{Partition: p, Offset: x.Offset, Cause: x.Cause, View: x.View, Span: x.Span}] = true
		}
		return r
	}
	before := func(offset int64) int {
		n, _ := slices.BinarySearchFunc(kept, offset, func(r oracle.Record, at int64) int { return cmp.Compare(r.Offset, at) })
		return n
	}
	for i, gone := range l.gone {
		until := before(gone.Until)
		torn := read(kept[:until])
		torn.gone, torn.from, torn.until = l.gone[:i], gone.From, gone.Until
		l.torn = append(l.torn, torn)
		rest := slices.Clone(kept[until:])
		kept = slices.Clip(kept[:before(gone.From)])
		// The watermark takes effect with what comes next. The range has freed its place.
		if n := torn.Counts[p]; n != nil && n.Watermark >= event.MinTime && len(rest) > 0 {
			kept = append(kept, advance(p, gone.Until-1, n.Watermark))
		}
		kept = append(kept, rest...)
	}
	l.lasting = read(kept)
	l.lasting.gone = l.gone
}

// took says that the message at an offset is part of what was read.
func (r *reading) took(offset int64) bool {
	return offset < r.until && !slices.ContainsFunc(r.gone, func(g Resumption) bool { return offset >= g.From && offset < g.Until })
}

// leavesOut says that all of these are left out.
func (r *reading) leavesOut(said map[Judgement]bool) bool {
	for j := range said {
		if !r.excluded[j] {
			return false
		}
	}
	return true
}

// leftOut says that a placement was not counted, though its message was taken in.
func (r *reading) leftOut(late Judgement) bool {
	return r.excluded[late] || r.repeats(late)
}

func (r *reading) repeats(j Judgement) bool {
	whole := Judgement{Partition: j.Partition, Offset: j.Offset, Cause: result.Duplicate}
	if r.excluded[whole] {
		return true
	}
	whole.Cause = result.Stale
	return r.excluded[whole]
}

// tells is whether a torn batch may have told of an offset.
func (r *reading) tells(offset int64) bool { return offset >= r.from && offset < r.until }

// follow finds the events beside the ranges of which the stream says what it must
// after its losses, all of it and no more.
func (c *comparison) follow(list []Exclusion) {
	if len(c.lost) == 0 {
		return
	}
	says := map[place]map[Judgement]bool{}
	for i := range list {
		j := list[i].judgement()
		at := place{j.Partition, j.Offset}
		if says[at] == nil {
			says[at] = map[Judgement]bool{}
		}
		says[at][j] = true
	}
	for p, l := range c.lost {
		must := map[int64]int{}
		for j := range l.lasting.excluded {
			must[j.Offset]++
		}
		for _, events := range l.byKey {
			for _, e := range events {
				said := says[place{p, e.Offset}]
				l.follows[e.Offset] = l.lasting.took(e.Offset) && len(said) == must[e.Offset] && l.lasting.leavesOut(said)
			}
		}
	}
}

// saysAfterLoss says that the stream left something out as it had to, having lost
// input, though the batch counts it.
func (c *comparison) saysAfterLoss(j Judgement) bool {
	l := c.lost[j.Partition]
	return l != nil && (l.follows[j.Offset] || slices.ContainsFunc(l.torn, func(r *reading) bool { return r.tells(j.Offset) && r.excluded[j] }))
}

// missesAfterLoss says that the stream, having lost input, does not leave out what
// the batch does, or for another cause.
func (c *comparison) missesAfterLoss(at place) bool {
	l := c.lost[at.partition]
	return l != nil && l.follows[at.offset]
}

// answered is a row of the stream, and the reading that has it.
type answered struct {
	by   *reading
	span view.Span
}

// answers says which reading each of the group's rows of the stream is of, or that
// they are not what a stream with these losses says. What a torn batch has told and
// nobody told again afterwards may be there or not.
func (l *loss) answers(g *group) (rows []answered, ok bool) {
	for _, x := range g.cells {
		if want, has := l.lasting.Rows[x.name]; has {
			if x.stream == nil || *x.stream != want {
				return nil, false
			}
			rows = append(rows, answered{l.lasting, x.name.Span})
			continue
		}
		if x.stream == nil {
			continue
		}
		i := slices.IndexFunc(l.torn, func(r *reading) bool {
			row, has := r.Rows[x.name]
			return has && row == *x.stream && r.tells(r.ClosedAt[x.name])
		})
		if i < 0 {
			return nil, false
		}
		rows = append(rows, answered{l.torn[i], x.name.Span})
	}
	return rows, true
}

// afterLoss accounts for a group whose rows are what a stream with these losses
// must say: it lists each event that A and the stream do not count equally often.
func (c *comparison) afterLoss(g *group) bool {
	l := c.lost[g.name.Partition]
	if l == nil {
		return false
	}
	rows, ok := l.answers(g)
	if !ok {
		return false
	}
	lists := map[string][]*Event{}
	for _, e := range l.byKey[g.name.Key] {
		if e.Time < g.name.Span.Start || e.Time >= g.name.Span.End {
			continue
		}
		late := g.late(e)
		inA, n := c.closedA(g, e) && !c.judgedOut(late), 0
		for _, row := range rows {
			if g.holds(row.span, e) && row.by.took(e.Offset) && !row.by.leftOut(late) {
				n++
			}
		}
		if inA {
			n--
		}
		if n == 0 {
			continue
		}
		cause := l.cause(late, inA, n > 0)
		// A row must not count what the lists leave out, nor the other way round.
		if (cause == report.CauseAdmitted || cause == report.CauseRefused) && l.lasting.took(e.Offset) && !l.follows[e.Offset] {
			return false
		}
		for range max(n, -n) {
			lists[cause] = append(lists[cause], e)
		}
	}
	besides := slices.Concat(lists[report.CauseAgain], lists[report.CauseAdmitted])
	missing := slices.Concat(lists[report.CauseSkipped], lists[report.CauseRefused], lists[report.CauseUnclosed])
	if !c.asA(g, besides, missing) {
		return false
	}
	w := g.causes()
	w.again, w.admitted = lists[report.CauseAgain], lists[report.CauseAdmitted]
	w.skipped, w.refused, w.unclosed = lists[report.CauseSkipped], lists[report.CauseRefused], lists[report.CauseUnclosed]
	g.why, g.damaged = w, true
	return true
}

// cause is why the stream counts a placement more often than A, which may count it,
// or does not count it.
func (l *loss) cause(late Judgement, inA, more bool) string {
	switch {
	case more && inA:
		return report.CauseAgain
	case more:
		return report.CauseAdmitted
	case !l.lasting.took(late.Offset):
		return report.CauseSkipped
	case l.lasting.leftOut(late):
		return report.CauseRefused
	}
	return report.CauseUnclosed
}

// late is what is said of an event that is late in the group.
func (g *group) late(e *Event) Judgement {
	span := g.name.Span
	if g.view.Window.Kind == view.Session {
		span = view.Span{Start: e.Time, End: e.Time + g.view.Window.Gap}
	}
	return Judgement{Partition: e.Partition, Offset: e.Offset, Cause: result.Late, View: g.name.View, Span: span}
}

// judgedOut says that the batch's reading A does not count a placement.
func (c *comparison) judgedOut(late Judgement) bool {
	for _, j := range [...]Judgement{late, {Partition: late.Partition, Offset: late.Offset, Cause: result.Duplicate}, {Partition: late.Partition, Offset: late.Offset, Cause: result.Stale}} {
		if _, out := slices.BinarySearchFunc(c.judged, j, Judgement.compare); out {
			return true
		}
	}
	return false
}
