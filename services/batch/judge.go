package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/batch/mapreduce"
	"parallax.example/services/batch/scan"
)

// judge is one map task: the rows of a split, each judged alone by what the
// first pass found. An event is folded once per view, however many windows hold
// it, into a pane: the hop of time that it falls into. The windows over a pane
// close one after the other, so how many of them an event was too late for, its
// rank, says in which it counts.
//
// What a session holds depends on the events around it, so for views with
// sessions the event itself goes on to the reduce stage (session.go).
type judge struct {
	p          *partition
	views      []viewFold      // with windows
	sessions   *sessionShuffle // nil unless a view has sessions
	keys       keyTable
	subjects   subjectTable
	asked      bool // some view asks for subjects
	identities identityColumns
	out        *mapreduce.Emitter
	key, value []byte
}

// viewFold folds one view.
type viewFold struct {
	*closings
	index    int // of the view, by ID
	size     int64
	overlap  int // windows over a pane
	panes    []pane
	byNumber map[int64]int
	last     int // the pane of the event before; -1 at first
	cells    cellTable
	totals   placements
}

// pane is the times [start, start+hop) of a view.
type pane struct {
	start  int64
	closed []int64 // when each window over it closed, by window; ascending
}

func mapSplit(ctx context.Context, dir *lake.Dir, pl *plan, p *partition, split []scan.Piece, out *mapreduce.Emitter) error {
	j := &judge{p: p, out: out}
	for i := range pl.views.Views {
		v := &pl.views.Views[i]
		j.asked = j.asked || v.AsksDistinct()
		if v.Window.Kind == view.Session {
			j.sessions = j.sessions.with(v, p.rises)
			continue
		}
		j.views = append(j.views, viewFold{
			closings: &p.closings[i], index: i, size: v.Window.Size, overlap: int(v.Window.Size / v.Window.Hop),
			byNumber: map[int64]int{}, last: -1, cells: newCellTable(v),
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
	keys                   []int32  // numbers in the keyTable
	subjects               []uint64 // their hashes, if asked
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
			j.subjects.forget()
		}
		b.keys = j.keys.translate(codes, cursor.Dict(scan.Key))
		if j.asked {
			if codes, err = cursor.Codes(scan.Subject); err != nil {
				return err
			}
			b.subjects = j.subjects.translate(codes, cursor.Dict(scan.Subject))
		}
		if err := j.batch(cursor, &b, rows); err != nil {
			return err
		}
	}
}

// staleRank is more than any overlap: such an event counts in B alone.
const staleRank = 1 << 11

func (j *judge) batch(cursor *parquet.Cursor, b *batchColumns, rows int) error {
	j.identities.begin(cursor)
	if j.sessions != nil {
		j.sessions.begin()
	}
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
				for closed := v.panes[p].closed; rank < len(closed) && closed[rank] < offset && !failpoint.Mutant("batch/late-counted"); rank++ {
					if err := j.excludeLate(b, i, v, v.panes[p].start, rank); err != nil {
						return err
					}
				}
				v.totals.late += int64(rank)
				v.totals.counted += int64(v.overlap - rank)
			}
			v.totals.countedB += int64(v.overlap)
			cell := v.cells.at(p, rank, b.keys[i])
			v.cells.plain[cell].Add(b.values[i])
			if v.cells.quantiles != nil {
				v.cells.quantiles[cell].Add(b.values[i])
			}
			if v.cells.distinct != nil {
				v.cells.distinct[cell].Add(b.subjects[i])
			}
		}
		if j.sessions != nil {
			if err := j.emitEvent(b, i, isStale); err != nil {
				return err
			}
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
	return j.emitJudgement(&x, b, i)
}

// excludeLate emits the judgement on the placement into the k-th window over a pane.
func (j *judge) excludeLate(b *batchColumns, i int, v *viewFold, pane int64, k int) error {
	start := pane + int64(k+1)*v.hop - v.size
	x := judgement{partition: j.p.Partition.Partition, offset: b.offsets[i], view: v.index, start: start, causeA: result.Late}
	return j.emitJudgement(&x, b, i)
}

func (j *judge) emitJudgement(x *judgement, b *batchColumns, i int) (err error) {
	x.time, x.value, x.key = b.times[i], b.values[i], j.keys.names[b.keys[i]]
	if x.producer, x.seq, err = j.identities.of(i); err != nil {
		return err
	}
	j.key, j.value = x.appendKey(j.key[:0]), x.appendValue(j.value[:0])
	j.out.Emit(j.key, j.value)
	return nil
}

// emit gives every cell to each window over its pane: to B always, to A where
// it came in time.
func (j *judge) emit() {
	for n := range j.views {
		v := &j.views[n]
		v.cells.each(func(p, rank int, name int32, s *state) {
			for k := range v.overlap {
				start := v.panes[p].start + int64(k+1)*v.hop - v.size
				var r readings
				if rank <= k {
					r.both = *s
				} else {
					r.onlyB = *s
				}
				j.key = appendCellKey(j.key[:0], v.index, start, j.keys.names[name], j.p.Partition.Partition)
				j.value = r.append(j.value[:0])
				j.out.Emit(j.key, j.value)
			}
		})
		v.totals.count(j.out, j.p.Partition.Partition, v.index)
	}
}

// placements are the totals of a view in a partition: A's, late, B's.
type placements struct{ counted, late, countedB int64 }

func (p placements) count(out interface{ Count(string, int64) }, partition int32, view int) {
	for name, n := range map[string]int64{countedName: p.counted, lateName: p.late, countedBName: p.countedB} {
		out.Count(counter(partition, view, name), n)
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
