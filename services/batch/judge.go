package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/services/batch/mapreduce"
	"parallax.example/services/batch/scan"
)

// judge is one map task: the rows of a split, each judged alone by what the
// first pass found. An event is folded once per view, however many windows hold
// it, into a pane: the hop of time that it falls into. The windows over a pane
// close one after the other, so how many of them an event was too late for, its
// rank, says in which it counts.
type judge struct {
	p     *partition
	views []viewFold
	keys  keyTable
	out   *mapreduce.Emitter
	late  judgementCoder
}

// viewFold folds one view.
type viewFold struct {
	*closings
	index              int // of the view, by ID
	size               int64
	overlap            int // windows over a pane
	panes              []pane
	byNumber           map[int64]int
	last               int // the pane of the event before; -1 at first
	cells              cellTable
	counted, lost, all int64 // placements: A's, late, B's
}

// pane is the times [start, start+hop) of a view.
type pane struct {
	start  int64
	closed []int64 // when each window over it closed, by window; ascending
}

func mapSplit(ctx context.Context, dir *lake.Dir, pl *plan, p *partition, split []scan.Piece, out *mapreduce.Emitter) error {
	j := &judge{p: p, out: out}
	for i := range pl.views.Views {
		w := &pl.views.Views[i].Window
		j.views = append(j.views, viewFold{
			closings: &p.closings[i], index: i, size: w.Size, overlap: int(w.Size / w.Hop),
			byNumber: map[int64]int{}, last: -1,
		})
	}
	for _, piece := range split {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.piece(dir, piece); err != nil {
			return fmt.Errorf("cannot read lake file %s: %w", piece.File.Path, err)
		}
	}
	j.emit()
	return nil
}

// batchColumns are one batch of rows.
type batchColumns struct {
	offsets, times, values []int64
	keys                   []int32 // numbers in the keyTable
}

func (j *judge) piece(dir *lake.Dir, piece scan.Piece) error {
	cursor, err := scan.Open(dir, piece)
	if err != nil {
		return err
	}
	var b batchColumns
	group := -1
	for {
		if _, err = cursor.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if b.offsets, err = cursor.Int64(scan.Offset); err != nil {
			return err
		}
		rows, _ := slices.BinarySearch(b.offsets, j.p.Cut)
		if rows == 0 {
			return nil
		}
		if b.times, err = cursor.Int64(scan.Time); err != nil {
			return err
		}
		if b.values, err = cursor.Int64(scan.Value); err != nil {
			return err
		}
		codes, err := cursor.Codes(scan.Key)
		if err != nil {
			return err
		}
		if cursor.Group() != group {
			group = cursor.Group()
			j.keys.forget()
		}
		b.keys = j.keys.translate(codes, cursor.Dict(scan.Key))
		if err := j.batch(cursor, &b, rows); err != nil {
			return err
		}
	}
}

// staleRank is more than any overlap: such an event counts in B alone.
const staleRank = 1 << 11

func (j *judge) batch(cursor *parquet.Cursor, b *batchColumns, rows int) error {
	j.late.begin(cursor)
	repeated, stale := marksFrom(j.p.repeated, b.offsets[0]), marksFrom(j.p.stale, b.offsets[0])
	for i := range rows {
		offset := b.offsets[i]
		isRepeated, isStale := repeated.has(offset), stale.has(offset)
		if isRepeated || isStale {
			if err := j.exclude(b, i, isRepeated, isStale); err != nil {
				return err
			}
		}
		if isRepeated {
			continue
		}
		for k := range j.views {
			v := &j.views[k]
			p := v.pane(b.times[i])
			rank := 0
			if isStale {
				rank = staleRank
			} else {
				for closed := v.panes[p].closed; rank < len(closed) && closed[rank] < offset; rank++ {
					if err := j.excludeLate(b, i, v, v.panes[p].start, rank); err != nil {
						return err
					}
				}
				v.lost += int64(rank)
				v.counted += int64(v.overlap - rank)
			}
			v.all += int64(v.overlap)
			v.cells.at(p, rank, b.keys[i]).Add(b.values[i])
		}
	}
	return nil
}

// marks are ascending offsets of a partition, asked for in ascending order. Some
// of them lie in other files.
type marks []int64

func marksFrom(offsets []int64, first int64) marks {
	i, _ := slices.BinarySearch(offsets, first)
	return offsets[i:]
}

func (m *marks) has(offset int64) bool {
	for len(*m) > 0 && (*m)[0] < offset {
		*m = (*m)[1:]
	}
	return len(*m) > 0 && (*m)[0] == offset
}

// pane finds the pane of a time.
func (v *viewFold) pane(t int64) int {
	if v.last >= 0 {
		if d := t - v.panes[v.last].start; d >= 0 && d < v.hop {
			return v.last
		}
	}
	number := floorDivide(t, v.hop)
	p, known := v.byNumber[number]
	if !known {
		p = len(v.panes)
		v.byNumber[number] = p
		n := pane{start: number * v.hop, closed: make([]int64, v.overlap)}
		for k := range n.closed { // the k-th window over a pane ends k hops after the pane
			n.closed[k] = v.at(n.start + int64(k+1)*v.hop)
		}
		v.panes = append(v.panes, n)
	}
	v.last = p
	return p
}

// exclude emits the judgement on a whole event.
func (j *judge) exclude(b *batchColumns, i int, repeated, stale bool) error {
	x := judgement{partition: j.p.Partition.Partition, offset: b.offsets[i], view: -1, causeA: result.Duplicate}
	if stale {
		x.causeA = result.Stale
	}
	if repeated {
		x.causeB = result.Duplicate
	}
	return j.late.emit(j.out, &x, b, i, j.keys.names[b.keys[i]])
}

// excludeLate emits the judgement on the placement into the k-th window over a pane.
func (j *judge) excludeLate(b *batchColumns, i int, v *viewFold, pane int64, k int) error {
	start := pane + int64(k+1)*v.hop - v.size
	x := judgement{partition: j.p.Partition.Partition, offset: b.offsets[i], view: v.index, start: start, causeA: result.Late}
	return j.late.emit(j.out, &x, b, i, j.keys.names[b.keys[i]])
}

// emit gives every cell to each window over its pane: to B always, to A where
// it came in time.
func (j *judge) emit() {
	var key, value []byte
	for n := range j.views {
		v := &j.views[n]
		v.cells.each(func(p, rank int, name int32, agg *result.Plain) {
			for k := range v.overlap {
				start := v.panes[p].start + int64(k+1)*v.hop - v.size
				both := readings{b: *agg}
				if rank <= k {
					both.a = *agg
				}
				key = appendCellKey(key[:0], v.index, start, j.keys.names[name], j.p.Partition.Partition)
				value = both.append(value[:0])
				j.out.Emit(key, value)
			}
		})
		for name, count := range map[string]int64{countedName: v.counted, lateName: v.lost, countedBName: v.all} {
			j.out.Count(counter(j.p.Partition.Partition, v.index, name), count)
		}
	}
}

// The counters of a view in a partition.
const (
	countedName  = "counted"
	lateName     = "late"
	countedBName = "counted-b"
)

func counter(partition int32, view int, name string) string {
	return fmt.Sprintf("%d/%d/%s", partition, view, name)
}
