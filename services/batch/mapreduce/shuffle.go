package mapreduce

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"parallax.example/internal/arrow"
)

// Shuffle files hold the records of one map task for one reduce task, sorted by
// key, each key once.
var shuffleColumns = []string{"key", "value"}

const (
	batchRows   = 1 << 13
	maxBatch    = 64 << 20 // bytes
	maxEmission = 16 << 20 // bytes of one key and value
)

// Emitter takes what a map task emits.
type Emitter struct {
	shard    func([]byte) uint64
	shards   uint64
	counters map[string]int64
	arena    []byte
	records  []emission
}

type emission struct {
	shard      uint32
	prefix     uint64 // the key's first 8 bytes, big-endian: most comparisons end here
	at         int    // key and value in the arena
	key, value int32  // their lengths
}

// Emit adds a record; key and value are copied.
func (e *Emitter) Emit(key, value []byte) {
	if len(key)+len(value) > maxEmission {
		panic(fmt.Sprintf("BUG: a record of %d bytes", len(key)+len(value)))
	}
	r := emission{at: len(e.arena), key: int32(len(key)), value: int32(len(value))}
	r.shard = uint32(e.shard(key) % e.shards)
	for i := range 8 {
		r.prefix <<= 8
		if i < len(key) {
			r.prefix |= uint64(key[i])
		}
	}
	e.arena = append(append(e.arena, key...), value...)
	e.records = append(e.records, r)
}

// Count adds to a counter of the job. Counters of tasks that are done twice
// count once.
func (e *Emitter) Count(name string, n int64) { e.counters[name] += n }

func (e *Emitter) keyOf(r *emission) []byte { return e.arena[r.at : r.at+int(r.key)] }
func (e *Emitter) valueOf(r *emission) []byte {
	return e.arena[r.at+int(r.key) : r.at+int(r.key)+int(r.value)]
}

func (e *Emitter) sort() {
	slices.SortFunc(e.records, func(a, b emission) int {
		if c := cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.prefix, b.prefix)); c != 0 {
			return c
		}
		return bytes.Compare(e.keyOf(&a), e.keyOf(&b))
	})
}

func shuffleName(shard int) string { return fmt.Sprintf("shard-%05d.arrow", shard) }

// runMap maps one split, combines and writes a shuffle file per shard that has
// records. Spilling would begin here: sort and write what is held, then let the
// attempt's own runs be merged as reduce tasks merge them.
func (j *Job) runMap(ctx context.Context, a *attempt) error {
	e := &Emitter{shard: j.Shard, shards: uint64(j.Reduces), counters: a.Counters}
	if err := j.Map(ctx, a.index, e); err != nil {
		return fmt.Errorf("cannot map %s: %w", a.task, err)
	}
	e.sort()
	rows := map[string]int64{}
	for i := 0; i < len(e.records); {
		if err := ctx.Err(); err != nil {
			return err
		}
		shard := e.records[i].shard
		end := i + 1
		for end < len(e.records) && e.records[end].shard == shard {
			end++
		}
		name := shuffleName(int(shard))
		out, err := a.create(name)
		if err != nil {
			return err
		}
		if rows[name], err = e.write(out, e.records[i:end], j.Merge); err != nil {
			return fmt.Errorf("cannot write %s of %s: %w", name, a.task, err)
		}
		a.Records += rows[name]
		i = end
	}
	return a.seal(rows)
}

// write writes sorted records, those of one key combined.
func (e *Emitter) write(out *output, records []emission, merge func(into, value []byte) []byte) (rows int64, err error) {
	w := arrow.NewWriter(out, shuffleColumns)
	var value []byte
	pending, size := 0, 0
	for i := 0; i < len(records); {
		key := e.keyOf(&records[i])
		value = append(value[:0], e.valueOf(&records[i])...)
		for i++; i < len(records) && bytes.Equal(key, e.keyOf(&records[i])); i++ {
			value = merge(value, e.valueOf(&records[i]))
		}
		w.Binary(0, key)
		w.Binary(1, value)
		rows++
		pending, size = pending+1, size+len(key)+len(value)
		if pending == batchRows || size >= maxBatch {
			if err := w.Flush(); err != nil {
				return rows, err
			}
			pending, size = 0, 0
		}
	}
	if pending > 0 {
		if err := w.Flush(); err != nil {
			return rows, err
		}
	}
	return rows, w.Close()
}
