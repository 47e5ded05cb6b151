package engine

import "parallax.example/internal/event"

// ahead is how many records are decoded before the first of them is judged.
const ahead = 16

// coming is a record that is to be judged.
type coming struct {
	record event.Record
	err    error  // instead of it
	hash   uint64 // of an event's key
	id     uint32 // perhaps of the key
	cell   uint32 // perhaps one of its cells, plus one
}

// manyKeys do not fit a cache.
const manyKeys = 4096

// lookAhead decodes the next records of a batch. With many keys it also asks for
// the memory that judging will need, of all of them at once: a processor waits
// for sixteen lines about as long as for one.
func (e *Engine) lookAhead(b *Batch, from int) {
	n := min(ahead, len(b.Offsets)-from)
	for i := range n {
		c := &e.coming[i]
		c.hash = 0
		if c.err = c.record.Decode(b.Value(from + i)); c.err == nil && c.record.Kind == event.KindEvent {
			c.hash = e.keys.hash(c.record.Event.Key)
		}
	}
	if e.keys.len() >= manyKeys {
		e.fetch(e.coming[:n])
	}
}

// fetch reads what it does not need yet. The sum keeps the reads in the program.
func (e *Engine) fetch(coming []coming) {
	sum := int64(0)
	mask := uint64(len(e.keys.slots) - 1)
	for i := range coming {
		coming[i].id = min(e.keys.slots[coming[i].hash&mask].id(), uint32(len(e.keys.list)-1))
	}
	for i := range coming {
		sum += int64(e.keys.list[coming[i].id].size)
	}
	for i := range e.views {
		v := &e.views[i]
		for j := range coming {
			coming[j].cell = v.near(coming[j].id)
		}
		for j := range coming {
			if at := coming[j].cell; at != 0 {
				sum += v.list[at-1].start
			}
		}
	}
	e.fetched = sum
}

// fetchTouched does the same for cells that are to be written down.
func (e *Engine) fetchTouched(v *viewState, touched []touched) {
	sum := int64(0)
	for i := range touched {
		e.coming[i].id = v.list[touched[i].cell].key
	}
	for i := range touched {
		sum += int64(e.keys.list[e.coming[i].id].size)
	}
	e.fetched = sum
}
