package engine

import (
	"errors"
	"fmt"
	"math"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
)

// Engine is the state of one input partition. It is used by one goroutine.
type Engine struct {
	rule      view.Time
	topic     string
	partition int32

	topicID    string
	partitions int32
	limit      int
	silent     bool

	next        int64 // the next input offset
	transaction uint64
	clock       clock
	dedup       dedup
	keys        names
	views       []viewState // by id
	stats       Stats       // Views as views
	closeAt     int64       // no window or session closes at a lower watermark

	coming  [ahead]coming // records that were decoded
	fetched int64         // see fetch
	record  *event.Record // the one being judged
	value   []byte        // its bytes
	cause   cause         // its place
	ordinal uint32        // of the next record with a Place
	row     result.Result
	scratch []byte // for the row's sketches

	open    bool // a transaction has begun
	flushed bool // and its Flush was called
	failed  bool // and can only be rolled back
	before  struct {
		next  int64
		clock clock
		stats Stats
	}

	again int64 // records before it have moved the clock, see Resume
	least int64 // the watermark is at least this from the next record on

	load     *loading            // nil once loaded, or if nothing was to be loaded
	changing bool                // the transaction is that of Change
	foreign  map[string]struct{} // keys that it takes off the changelog
}

// New makes the empty state of a partition. The views are answered in the order
// of their ids, whatever their order in the file.
func New(f *view.File, topic string, partition int32) *Engine {
	e := &Engine{rule: f.Time, topic: topic, partition: partition, keys: newNames(), dedup: newDedup(), closeAt: math.MaxInt64, least: NoWatermark}
	e.views = newViews(f, &e.keys)
	e.clock = newClock(&e.rule)
	for i := range e.views {
		e.stats.Views = append(e.stats.Views, ViewStats{View: string(e.views[i].id)})
	}
	return e
}

// SetSource says which topic the partition belongs to. It becomes part of the
// meta record, so that who restores the state can tell a recreated topic.
func (e *Engine) SetSource(topicID string, partitions int32) {
	e.topicID, e.partitions = topicID, partitions
}

// Next returns the next input offset: the last applied one plus one, 0 at first.
func (e *Engine) Next() int64 { return e.next }

// Transaction returns the number of committed transactions.
func (e *Engine) Transaction() uint64 { return e.transaction }

// Apply judges the records of a batch and folds them in. It appends exclusions,
// dead letters and final rows, in the order in which they come about. Offsets
// must ascend over all batches; b is not kept. After an error, which is a
// *LimitError, only Rollback is allowed.
func (e *Engine) Apply(b *Batch, out *Output) error {
	e.begin()
	if e.flushed {
		panic("BUG: Apply after Flush: commit or roll back first")
	}
	if len(b.Offsets) > 0 {
		e.catchUp(cause{b.Offsets[0], b.Timestamps[0]}, out)
	}
	start := 0
	for i, offset := range b.Offsets {
		if offset < e.next {
			panic(fmt.Sprintf("BUG: offset %d applied to a state that has come to %d", offset, e.next))
		}
		if i%ahead == 0 {
			e.lookAhead(b, i)
		}
		keys, producers := e.keys.open, e.dedup.names.len()
		e.cause = cause{offset, b.Timestamps[i]}
		e.value = b.Data[start:b.Ends[i]:b.Ends[i]]
		e.judge(&e.coming[i%ahead], out)
		if e.limit > 0 && (e.keys.open > keys || e.dedup.names.len() > producers) {
			if err := e.exceeded(keys, producers); err != nil {
				return err
			}
		}
		e.next, start = offset+1, b.Ends[i]
	}
	return nil
}

func (e *Engine) begin() {
	if e.load != nil {
		panic("BUG: the changelog was not loaded to its end: call Loaded first")
	}
	if e.failed {
		panic("BUG: the transaction can only be rolled back")
	}
	if e.open {
		return
	}
	e.open = true
	e.dedup.begin()
	e.before.next = e.next
	e.before.clock.copyFrom(&e.clock)
	e.before.stats.copyFrom(&e.stats)
}

// Commit makes the transaction's changes part of the state.
func (e *Engine) Commit() {
	if !e.flushed {
		panic("BUG: Commit without Flush: the changelog would miss the transaction")
	}
	for v := range e.views {
		e.views[v].commit()
	}
	e.dedup.commit()
	e.transaction++
	e.over()
	e.changing, e.foreign = false, nil
}

// Rollback puts the state back to what it was at the last Commit.
func (e *Engine) Rollback() {
	if !e.open {
		return
	}
	for v := range e.views {
		e.views[v].rollback()
	}
	e.dedup.rollback()
	e.next = e.before.next
	e.clock.copyFrom(&e.before.clock)
	e.stats.copyFrom(&e.before.stats)
	e.schedule()
	e.over()
	if e.changing {
		e.failed = true // the changelog is still that of other views
	}
}

func (e *Engine) over() { e.open, e.flushed, e.failed, e.ordinal = false, false, false, 0 }

// judge takes in the record that value and cause stand for.
func (e *Engine) judge(c *coming, out *Output) {
	e.stats.Records++
	e.record = &c.record
	r := e.record
	if c.err != nil {
		var refused *event.Invalid
		errors.As(c.err, &refused) // as Decode promises
		e.deadLetter(refused.Reason, refused.Detail, out)
		return
	}
	if r.Kind == event.KindPunctuation {
		p := &r.Punctuation
		if !e.rule.Accepts(p.Sender) {
			e.deadLetter(event.Unauthorized, fmt.Sprintf("punctuation is not accepted from %q", p.Sender), out)
			return
		}
		e.stats.Punctuation++
		e.clock.raise(p.Watermark)
	} else {
		ev := &r.Event
		if ev.HasID {
			switch e.dedup.admit(ev.Producer, ev.Seq) {
			case duplicate:
				e.stats.Duplicates++
				e.excludeRepeated(result.Duplicate, out)
				return
			case stale:
				e.stats.Stale++
				e.excludeRepeated(result.Stale, out)
				return
			}
		}
		e.stats.Valid++
		e.answer(c.hash, out)
		if e.cause.offset >= e.again {
			e.clock.event(ev.Time)
		}
	}
	if e.clock.watermark >= e.closeAt {
		e.close(out)
	}
}

// eventKey is the key of the event being judged.
type eventKey struct {
	id    uint32
	known bool // else it has no id yet
}

// answer puts the event into each view, by the watermark that stood before it.
func (e *Engine) answer(hash uint64, out *Output) {
	var key eventKey
	key.id, key.known = e.keys.findHashed(e.record.Event.Key, hash)
	for i := range e.views {
		v, stats := &e.views[i], &e.stats.Views[i]
		if v.isSession() {
			e.placeSession(v, stats, &key, out)
		} else {
			e.place(v, stats, &key, out)
		}
	}
}

// intern gives the event's key an id.
func (e *Engine) intern(key *eventKey) uint32 {
	if !key.known {
		key.id, key.known = e.keys.add(e.record.Event.Key), true
	}
	return key.id
}

// close emits the final rows of what the watermark has closed.
func (e *Engine) close(out *Output) {
	e.closeAt = math.MaxInt64
	for i := range e.views {
		v, stats := &e.views[i], &e.stats.Views[i]
		if v.isSession() {
			e.closeSessions(v, stats, out)
		} else {
			e.closeWindows(v, stats, out)
		}
		e.closeAt = min(e.closeAt, v.closeAt())
	}
}

// schedule makes anew what says when something closes.
func (e *Engine) schedule() {
	e.closeAt = math.MaxInt64
	for i := range e.views {
		e.views[i].schedule(e.clock.watermark)
		e.closeAt = min(e.closeAt, e.views[i].closeAt())
	}
}
