package scan

import (
	"errors"
	"fmt"
	"io"

	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
)

// stretch is how many offsets are put in order at a time.
const stretch = 1 << 16

// Ordered reads a partition in the order of its offsets. A manifest's files
// overlap, one for each hour of event time, so their rows are put to their
// places in a table of one stretch of offsets after the other.
type Ordered struct {
	dir       *lake.Dir
	manifests []*lake.Manifest // still to come
	cut       int64
	times     bool // else identities
	files     []*lane
	from      int64 // the stretch's first offset
	producers map[string]int32
	hashes    []uint64 // of the producers, by number

	under *lake.Manifest // whose files these are
	ids   lake.Digest    // of its rows so far

	taken    []bool
	time     []int64
	producer []int32
	seq      []uint64
	run      Run
}

// Run is a stretch of rows in offset order; one entry per row.
type Run struct {
	Offsets []int64
	Times   []int64 // from NewTimes only

	// From NewIdentities only: the number of the producer, -1 without an
	// identity, and the seq.
	Producers []int32
	Seqs      []uint64
}

// NewTimes reads offsets and event times.
func NewTimes(dir *lake.Dir, manifests []*lake.Manifest, cut int64) *Ordered {
	return newOrdered(dir, manifests, cut, true)
}

// NewIdentities reads offsets, producers and seqs. Producers are numbered from
// 0 in the order in which they are met.
func NewIdentities(dir *lake.Dir, manifests []*lake.Manifest, cut int64) *Ordered {
	return newOrdered(dir, manifests, cut, false)
}

func newOrdered(dir *lake.Dir, manifests []*lake.Manifest, cut int64, times bool) *Ordered {
	o := &Ordered{dir: dir, manifests: manifests, cut: cut, times: times, producers: map[string]int32{}, taken: make([]bool, stretch)}
	if times {
		o.time = make([]int64, stretch)
	} else {
		o.producer, o.seq = make([]int32, stretch), make([]uint64, stretch)
	}
	return o
}

// lane is one file on the way.
type lane struct {
	file   *lake.File
	cursor *parquet.Cursor
	at     int // the next row of the batch
	rows   int
	last   int64 // the offset before it

	offsets []int64
	times   []int64
	codes   []int32
	seqs    []int64
	group   int
	numbers []int32 // of the row group's producers, by code
}

// Next returns the next rows, at least one, or io.EOF. They are valid until the
// next call.
func (o *Ordered) Next() (*Run, error) {
	for {
		if len(o.files) == 0 {
			if err := o.checkIDs(); err != nil {
				return nil, err
			}
			if len(o.manifests) == 0 {
				return nil, io.EOF
			}
			if err := o.begin(o.manifests[0]); err != nil {
				return nil, err
			}
			o.manifests = o.manifests[1:]
			continue
		}
		// Go on where the first of the files does: gaps cost nothing.
		o.from = o.files[0].offsets[o.files[0].at]
		for _, l := range o.files {
			o.from = min(o.from, l.offsets[l.at])
		}
		if o.from >= o.cut {
			o.files = nil
			continue
		}
		going := o.files[:0]
		for _, l := range o.files {
			more, err := o.place(l)
			if err != nil {
				return nil, foreign(l.file, err)
			}
			if more {
				going = append(going, l)
			}
		}
		o.files = going
		return o.collect(), nil
	}
}

// checkIDs holds the ids of a manifest that was read to its end against its digest.
func (o *Ordered) checkIDs() error {
	if m := o.under; m != nil && !o.times && m.End <= o.cut && o.ids != m.IDs {
		return fmt.Errorf("cannot read the lake: the events of offsets %d to %d have other ids than their manifest says; files or manifest were changed, ingest them again into another lake", m.Start, m.End)
	}
	return nil
}

// begin opens the files of a manifest.
func (o *Ordered) begin(m *lake.Manifest) error {
	o.under, o.ids = m, lake.Digest{}
	for i := range m.Files {
		f := &m.Files[i]
		if f.MinOffset >= o.cut {
			continue
		}
		cursor, err := Open(o.dir, Piece{Manifest: m, File: f})
		if err != nil {
			return err
		}
		l := &lane{file: f, cursor: cursor, last: -1, group: -1}
		more, err := o.load(l)
		if err != nil {
			return foreign(f, err)
		}
		if more {
			o.files = append(o.files, l)
		}
	}
	return nil
}

// load decodes the lane's next batch.
func (o *Ordered) load(l *lane) (more bool, err error) {
	if l.rows, err = l.cursor.Next(); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	l.at = 0
	if l.offsets, err = l.cursor.Int64(Offset); err != nil {
		return false, err
	}
	if o.times {
		l.times, err = l.cursor.Int64(Time)
		return true, err
	}
	if l.codes, err = l.cursor.Codes(Producer); err != nil {
		return false, err
	}
	if l.seqs, err = l.cursor.Int64(Seq); err != nil {
		return false, err
	}
	if valid := l.cursor.Valid(Seq); len(valid) > 0 {
		for i, ok := range valid {
			if ok != (l.codes[i] >= 0) {
				return false, fmt.Errorf("offset %d has half an identity", l.offsets[i])
			}
		}
	}
	if l.cursor.Group() != l.group {
		l.group, l.numbers = l.cursor.Group(), l.numbers[:0]
	}
	for d := l.cursor.Dict(Producer); len(l.numbers) < d.Len(); {
		name := d.Value(int32(len(l.numbers)))
		n, known := o.producers[string(name)]
		if !known {
			n = int32(len(o.producers))
			o.producers[string(name)] = n
			o.hashes = append(o.hashes, lake.HashProducer(name))
		}
		l.numbers = append(l.numbers, n)
	}
	return true, nil
}

// place puts the lane's rows of the stretch to their places.
func (o *Ordered) place(l *lane) (more bool, err error) {
	end := min(o.from+stretch, o.cut)
	for {
		for ; l.at < l.rows; l.at++ {
			offset := l.offsets[l.at]
			if offset >= end {
				return true, nil
			}
			slot := offset - o.from
			if offset <= l.last || o.taken[slot] {
				return false, fmt.Errorf("offset %d stands after %d, or twice", offset, l.last)
			}
			l.last, o.taken[slot] = offset, true
			if o.times {
				o.time[slot] = l.times[l.at]
				continue
			}
			o.producer[slot], o.seq[slot] = -1, uint64(l.seqs[l.at])
			if code := l.codes[l.at]; code >= 0 {
				o.producer[slot] = l.numbers[code]
				o.ids.Add(o.hashes[l.numbers[code]], o.seq[slot])
			}
		}
		if more, err := o.load(l); !more || err != nil {
			return false, err
		}
	}
}

// collect takes the stretch's rows out of their places.
func (o *Ordered) collect() *Run {
	r := &o.run
	r.Offsets, r.Times, r.Producers, r.Seqs = r.Offsets[:0], r.Times[:0], r.Producers[:0], r.Seqs[:0]
	for slot, taken := range o.taken {
		if !taken {
			continue
		}
		o.taken[slot] = false
		r.Offsets = append(r.Offsets, o.from+int64(slot))
		if o.times {
			r.Times = append(r.Times, o.time[slot])
		} else {
			r.Producers = append(r.Producers, o.producer[slot])
			r.Seqs = append(r.Seqs, o.seq[slot])
		}
	}
	return r
}
