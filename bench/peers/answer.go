package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/event"
	"parallax.example/internal/kafka"
	"parallax.example/internal/result"
)

// cell is a window of a key.
type cell struct {
	key   string
	start int64 // µs
}

// figures are the answer for a cell.
type figures struct {
	count         uint64
	sum, min, max int64
}

func (f *figures) add(v int64) {
	if f.count == 0 {
		f.min, f.max = v, v
	}
	f.count++
	f.sum += v
	f.min, f.max = min(f.min, v), max(f.max, v)
}

func (f figures) merge(g figures) figures {
	if f.count == 0 {
		return g
	}
	return figures{f.count + g.count, f.sum + g.sum, min(f.min, g.min), max(f.max, g.max)}
}

type answers map[cell]figures

// truth is the naive answer to a set.
type truth struct {
	cells  answers
	events int
	back   int64 // how far an event lies behind the largest time before it in its partition, at most, µs
}

const hour = 3_600_000_000 // µs

// never is a lateness within which everything lies.
const never = time.Duration(math.MaxInt64)

// answer folds a set by hour and origin. An event is late, and left out, when an
// earlier one of its partition lies the lateness behind its window's end.
func (l *lab) answer(ctx context.Context, s *set, lateness time.Duration) (*truth, error) {
	t := &truth{cells: answers{}}
	var latest [partitions]int64
	err := l.read(ctx, s, func(partition int32, r *event.Record) error {
		if r.Kind != event.KindEvent {
			return nil
		}
		e := &r.Event
		t.events++
		before := latest[partition]
		t.back = max(t.back, before-e.Time)
		latest[partition] = max(before, e.Time)
		at := cell{string(e.Key), e.Time - e.Time%hour}
		if before-at.start-hour >= lateness.Microseconds() {
			return nil
		}
		f := t.cells[at]
		f.add(e.Value)
		t.cells[at] = f
		return nil
	})
	return t, err
}

// hopping are the answers for windows of so many hours every hour, from those
// for one hour.
func (a answers) hopping(hours int) answers {
	if hours == 1 {
		return a
	}
	list := answers{}
	for at, f := range a {
		for n := range int64(hours) {
			to := cell{at.key, at.start - n*hour}
			list[to] = list[to].merge(f)
		}
	}
	return list
}

// row is one record of a results topic.
type row struct {
	at        cell
	figures   figures
	final     bool  // the window is closed
	scheduled int64 // of the event that closed it, ms; 0 where it is not told
}

// decoder reads a row. More than one row of a cell is fine: the last counts.
type decoder func(value []byte) (row, error)

// ours reads the processor's results.
func ours(value []byte) (row, error) {
	var r result.Result
	if err := r.Decode(value); err != nil {
		return row{}, err
	}
	sum, fits := r.Agg.Sum()
	if !fits {
		return row{}, fmt.Errorf("the sum of %q does not fit 64 bits", r.Key)
	}
	return row{
		at:      cell{string(r.Key), r.Span.Start},
		figures: figures{r.Agg.Count, sum, r.Agg.Min, r.Agg.Max},
		final:   r.Stage == result.Final, scheduled: r.Place.Scheduled,
	}, nil
}

// theirs reads what every other engine writes.
func theirs(value []byte) (row, error) {
	var r struct {
		Key      string
		Start    int64
		Count    uint64
		Sum      int64
		Min, Max int64
	}
	err := json.Unmarshal(value, &r)
	return row{at: cell{r.Key, r.Start}, figures: figures{r.Count, r.Sum, r.Min, r.Max}, final: true}, err
}

// collect reads a results topic to its end, as a read_committed consumer.
func (l *lab) collect(ctx context.Context, topic string, decode decoder) (answers, error) {
	offsets, err := l.admin.Offsets(ctx, topic, allPartitions)
	if err != nil {
		return nil, err
	}
	var ranges []kafka.Range
	for _, o := range offsets {
		ranges = append(ranges, kafka.Range{Topic: topic, Partition: o.Partition, To: o.Stable})
	}
	got := answers{}
	return got, kafka.ReadTo(ctx, l.kafka, kafka.ReaderConfig{}, ranges, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			r, err := decode(b.Value(i))
			if err != nil {
				return fmt.Errorf("cannot read topic %q, partition %d, offset %d: %w", topic, b.Partition, b.Offsets[i], err)
			}
			got[r.at] = r.figures
		}
		return nil
	})
}

// Mismatch says that an engine gave another answer: exit code 1.
type Mismatch struct{ Engine, Where string }

func (m *Mismatch) Error() string {
	return fmt.Sprintf("%s gave other answers, so its figures mean nothing: %s", m.Engine, m.Where)
}

// ExitCode is that of a difference which is not explained.
func (*Mismatch) ExitCode() int { return 1 }

// shown is how many differences a message names.
const shown = 5

// compare returns where got differs from want, or "".
func compare(want, got answers) string {
	var lines []string
	differ := 0
	note := func(at cell, what string) {
		if differ++; differ <= shown {
			lines = append(lines, fmt.Sprintf("%s of %d: %s", at.key, at.start, what))
		}
	}
	for _, at := range want.sorted() {
		switch f, ok := got[at]; {
		case !ok:
			note(at, fmt.Sprintf("missing, want %+v", want[at]))
		case f != want[at]:
			note(at, fmt.Sprintf("%+v, want %+v", f, want[at]))
		}
	}
	for _, at := range got.sorted() {
		if _, ok := want[at]; !ok {
			note(at, fmt.Sprintf("%+v, want no such cell", got[at]))
		}
	}
	if differ == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d cells differ\n%s", differ, len(want), strings.Join(lines, "\n"))
}

// sorted are the cells by window and key.
func (a answers) sorted() []cell {
	list := make([]cell, 0, len(a))
	for at := range a {
		list = append(list, at)
	}
	slices.SortFunc(list, func(x, y cell) int {
		return cmp.Or(cmp.Compare(x.start, y.start), cmp.Compare(x.key, y.key))
	})
	return list
}

// digest names the answers in the results.
func (a answers) digest() string {
	h := sha256.New()
	for _, at := range a.sorted() {
		f := a[at]
		var b []byte
		for _, v := range []uint64{uint64(len(at.key)), uint64(at.start), f.count, uint64(f.sum), uint64(f.min), uint64(f.max)} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		h.Write(append(b, at.key...))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
