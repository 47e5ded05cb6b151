package compare

import (
	"cmp"
	"fmt"
	"slices"

	"parallax.example/internal/event"
	"parallax.example/internal/failpoint"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/report"
)

type id struct {
	producer string
	seq      uint64
}

// class says what an event of the log is.
type class uint8

const (
	first   class = 1 << iota // the first of its id in its partition; without an id always
	foreign                   // from nobody the ledger knows
)

// fact is one generated event: everything the ledger says of one id.
type fact struct {
	entry     int32 // that tells it
	partition int32 // where the truth counts it
	allowed   uint32
	copies    uint32 // in the log
	ok        bool   // acknowledged below the cut
	beyond    bool   // acknowledged at or after the cut
	here      bool   // in the log, in its partition
}

// truth matches the ledger with the log, both ways, and folds what was really
// sent by the oracle.
func (c *comparison) truth() {
	facts, ids, places := c.facts()
	c.matchLog(facts, ids, places)

	var log []oracle.Record
	sent := map[timeline][]fromLedger{}
	windows, sessions := c.split()
	sum := &c.r.Ledger
	for i := range facts {
		f := &facts[i]
		e := c.sentEvent(&c.in.Ledger[f.entry])
		e.Partition = f.partition
		switch {
		case f.ok:
			sum.OK++
		case f.copies > 0:
			sum.Found++
		case f.beyond:
			sum.BeyondCut++
			continue
		default:
			sum.NotSent++
			continue
		}
		log = append(log, oracle.Record{Partition: f.partition, Offset: int64(i), Value: c.in.Ledger[f.entry].Value})
		if len(sessions) > 0 {
			at := timeline{e.Key, e.Partition}
			sent[at] = append(sent[at], fromLedger{e.Time, e.Value, e.Subject})
		}
		if !f.here && !failpoint.Mutant("reporter/lost-unnamed") {
			c.blame(&e, checkLedger, fmt.Sprintf("the event %s was acknowledged by Kafka and is not in the lake: it is lost", e.called()))
			for name := range c.placements(&e) {
				w := c.why(name)
				w.lost = append(w.lost, &e)
			}
		}
		if f.copies > f.allowed {
			c.blame(&e, checkLedger, fmt.Sprintf("the event %s is in the log %d times and was sent %d times", e.called(), f.copies, f.allowed))
		}
	}
	sum.Generated = uint64(len(facts))

	answer := oracle.All(windows, log)
	for _, rows := range []map[result.Cell]result.Agg{answer.Rows, answer.Open} {
		for name, row := range rows {
			x := c.cell(name)
			x.truth = x.share(row)
		}
	}
	for at, events := range sent {
		slices.SortFunc(events, func(a, b fromLedger) int { return cmp.Compare(a.time, b.time) })
		for _, v := range sessions {
			c.truthOf(v, at, events)
		}
	}
	c.ledgerIdentities(facts)
}

// timeline is one key in one partition, which is where sessions are made.
type timeline struct {
	key       string
	partition int32
}

// fromLedger is what a row needs of an event.
type fromLedger struct {
	time, value int64
	subject     string
}

// split tells the session views, whose truth is made here, from the others: the
// oracle looks at all sessions of a key for each event, which is too slow for
// months.
func (c *comparison) split() (windows *view.File, sessions []*view.View) {
	windows = &view.File{Time: c.in.Views.Time}
	for i := range c.in.Views.Views {
		if v := &c.in.Views.Views[i]; v.Window.Kind == view.Session {
			sessions = append(sessions, v)
		} else {
			windows.Views = append(windows.Views, *v)
		}
	}
	return windows, sessions
}

// truthOf makes the sessions of one timeline, whose events are in the order of time.
func (c *comparison) truthOf(v *view.View, at timeline, events []fromLedger) {
	for i := 0; i < len(events); {
		span := view.Span{Start: events[i].time, End: events[i].time + v.Window.Gap}
		row := result.NewFold(v)
		for ; i < len(events) && events[i].time < span.End; i++ {
			span.End = events[i].time + v.Window.Gap
			row.Event(events[i].value, []byte(events[i].subject))
		}
		x := c.cell(result.Cell{View: v.ID(), Key: at.key, Span: span, Partition: at.partition})
		x.truth = x.share(row.Agg())
	}
}

// place is where Kafka said that an entry lies.
type place struct {
	partition int32
	offset    int64
}

// facts reads the ledger: one fact per id (or per event without one), and the
// place of every acknowledged event below the cut.
func (c *comparison) facts() ([]fact, map[id]int32, map[place]int32) {
	var facts []fact
	ids, places := map[id]int32{}, map[place]int32{}
	sum := &c.r.Ledger
	dead := map[place]bool{}
	for _, d := range c.in.Dead {
		dead[place{d.Partition, d.Offset}] = true
	}
	for i := range c.in.Ledger {
		entry := &c.in.Ledger[i]
		told := entry.Outcome == OK && entry.Offset >= 0
		below := entry.Outcome == OK && (!told || c.below(entry.Partition, entry.Offset))
		switch entry.Kind {
		case Punctuation:
			continue
		case Spoiled:
			sum.Sent++
			sum.Spoiled++
			if told && below && !dead[place{entry.Partition, entry.Offset}] {
				c.fault(report.Fault{Check: checkLedger,
					What: fmt.Sprintf("the bytes sent on purpose to %d/%d, which are no event, are not among the dead letters of the lake", entry.Partition, entry.Offset)})
			}
			continue
		case Copied:
			sum.Duplicated++
		}
		sum.Sent++
		e := c.sentEvent(entry)
		if e.Key == "" {
			c.fault(report.Fault{Check: checkLedger, What: fmt.Sprintf("entry %d of the ledger should be an event and does not decode", i)})
			continue
		}
		n, known := int32(len(facts)), false
		if e.HasID {
			var m int32
			if m, known = ids[id{e.Producer, e.Seq}]; known {
				n = m
			} else {
				ids[id{e.Producer, e.Seq}] = n
			}
		}
		if known && entry.Kind != Copied { // first seen in this partition, but not the first of its id
			sum.Duplicated++
		}
		if !known {
			facts = append(facts, fact{entry: int32(i), partition: entry.Partition})
		}
		f := &facts[n]
		f.allowed += 1 + entry.Resent
		switch {
		case below:
			if !f.ok {
				f.partition = entry.Partition
			}
			f.ok = true
		case entry.Outcome == OK:
			f.beyond = true
		}
		if told && below {
			places[place{entry.Partition, entry.Offset}] = n
		}
	}
	return facts, ids, places
}

// matchLog says of every event of the log where it comes from, and of every
// fact where in the log it is.
func (c *comparison) matchLog(facts []fact, ids map[id]int32, places map[place]int32) {
	producers := map[string]bool{}
	for i := range ids {
		producers[i.producer] = true
	}
	type inPartition struct {
		id
		partition int32
	}
	seen := make(map[inPartition]bool, len(c.in.Log))
	c.log = make([]class, len(c.in.Log))
	for i := range c.in.Log {
		e := &c.in.Log[i]
		n, inLedger := places[place{e.Partition, e.Offset}]
		delete(places, place{e.Partition, e.Offset})
		isFirst := true
		if e.HasID {
			k := inPartition{id{e.Producer, e.Seq}, e.Partition}
			isFirst = !seen[k]
			seen[k] = true
			m, known := ids[k.id]
			if inLedger && (!known || m != n) {
				c.blame(e, checkLedger, fmt.Sprintf("the log holds the event %s, where the ledger put another one", e.called()))
			}
			n, inLedger = m, known
		}
		if isFirst {
			c.log[i] |= first
		}
		if !inLedger {
			if e.HasID && producers[e.Producer] {
				c.blame(e, checkLedger, fmt.Sprintf("the event %s is in the log and not in the ledger, which lists its producer", e.called()))
				continue
			}
			c.log[i] |= foreign
			continue
		}
		f := &facts[n]
		if sent := c.sentEvent(&c.in.Ledger[f.entry]); isFirst && !e.sameFact(&sent) {
			c.blame(e, checkLedger, fmt.Sprintf("the event %s says %s in the log, and %s in the ledger",
				e.called(), e.content(), sent.content()))
		}
		if !f.ok && f.copies == 0 {
			f.partition = e.Partition // the only witness is the log
		}
		f.copies++
		f.here = f.here || e.Partition == f.partition
	}
	for at, n := range places {
		if !facts[n].here {
			continue // it is lost, and truth says so
		}
		e := c.sentEvent(&c.in.Ledger[facts[n].entry])
		e.Partition, e.Offset = at.partition, at.offset
		c.blame(&e, checkLedger, fmt.Sprintf("the ledger says that Kafka stored the event %s, and the lake has no event there", e.called()))
	}
	c.listExtras(facts, ids)
}

// listExtras puts into their cells the events that B counts and the truth does not.
func (c *comparison) listExtras(facts []fact, ids map[id]int32) {
	for i := range c.in.Log {
		e := &c.in.Log[i]
		switch {
		case c.log[i]&first == 0:
		case c.log[i]&foreign != 0:
			for name := range c.placements(e) {
				w := c.why(name)
				w.foreign = append(w.foreign, e)
			}
		case e.HasID:
			n, known := ids[id{e.Producer, e.Seq}]
			if !known || facts[n].partition == e.Partition {
				continue
			}
			for name := range c.placements(e) {
				w := c.why(name)
				w.elsewhere = append(w.elsewhere, e)
			}
		}
	}
}

// sentEvent decodes what an entry sent; Key is empty if it is no event.
func (c *comparison) sentEvent(entry *Entry) Event {
	var r event.Record
	if err := r.Decode(entry.Value); err != nil || r.Kind != event.KindEvent {
		return Event{}
	}
	offset := int64(-1)
	if entry.Outcome == OK {
		offset = entry.Offset
	}
	return Event{
		Partition: entry.Partition, Offset: offset,
		Producer: c.shared(r.Event.Producer), Seq: r.Event.Seq, HasID: r.Event.HasID,
		Key: c.shared(r.Event.Key), Subject: c.shared(r.Event.Subject), Time: r.Event.Time, Value: r.Event.Value,
	}
}

// shared returns b as a string, the same memory for equal ones.
func (c *comparison) shared(b []byte) string {
	s, ok := c.names[string(b)]
	if !ok {
		s = string(b)
		c.names[s] = s
	}
	return s
}

// ledgerIdentities states what must hold between the ledger and the log.
func (c *comparison) ledgerIdentities(facts []fact) {
	sum := &c.r.Ledger
	c.identity(&c.r.Identities, identity{
		name: "sent", statement: "sent = generated + duplicated + spoiled",
		left:  quantity("sent", sum.Sent),
		right: []report.Quantity{quantity("generated", sum.Generated), quantity("duplicated", sum.Duplicated), quantity("spoiled", sum.Spoiled)},
	})
	var valid, foreigners, elsewhere uint64
	perKey := map[string]int64{} // valid − generated, as if all were well 0
	elsewhereAt := map[id]int{}
	for i := range c.in.Log {
		e := &c.in.Log[i]
		if c.log[i]&first == 0 {
			continue
		}
		valid++
		if c.log[i]&foreign != 0 {
			foreigners++
			continue
		}
		if e.HasID {
			k := id{e.Producer, e.Seq}
			elsewhereAt[k]++
			if elsewhereAt[k] > 1 {
				elsewhere++
				continue
			}
		}
		perKey[e.Key]++
	}
	for i := range facts {
		if f := &facts[i]; f.ok || f.copies > 0 {
			perKey[c.sentEvent(&c.in.Ledger[f.entry]).Key]--
		}
	}
	c.identity(&c.r.Identities, identity{
		name: "generated-valid", statement: "valid = generated (acknowledged) + found + foreign + copies in another partition",
		left: quantity("valid, or stale and no duplicate", valid),
		right: []report.Quantity{quantity("acknowledged", sum.OK), quantity("found", sum.Found),
			quantity("foreign", foreigners), quantity("in another partition", elsewhere)},
		perKey: perKey,
	})
}
