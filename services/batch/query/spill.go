package query

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"parallax.example/internal/arrow"
	"parallax.example/internal/result"
)

// A spilled run is a file in Arrow IPC, one row for each segment or part of one:
// its window's start, and its cells. Keys are numbers, so the file means something
// to this process only; its name is gone before the first byte is written, and so is
// the file when the process is.
var spillColumns = []string{"window", "cells"}

const (
	spillBatch = 1 << 16 // bytes that are read or written at once
	cellBytes  = 24
	wideBytes  = 48
)

// spill writes runs into one file, sorted by window.
func spill(folder string, runs []*run) (f *os.File, size int64, err error) {
	if f, err = os.CreateTemp(folder, "query-*.arrow"); err != nil {
		return nil, 0, fmt.Errorf("cannot spill: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cannot spill to %q: %w", folder, err), f.Close())
		}
	}()
	if err = os.Remove(f.Name()); err != nil {
		return nil, 0, err
	}
	type piece struct {
		segment
		run *run
	}
	var pieces []piece
	for _, r := range runs {
		for _, s := range r.segments {
			pieces = append(pieces, piece{s, r})
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int { return a.compare(b.start) })
	out := bufio.NewWriterSize(f, spillBatch)
	w := arrow.NewWriter(out, spillColumns)
	var row []byte
	pending := 0
	for _, p := range pieces {
		for p.from < p.to {
			row = p.take(row[:0], p.run)
			w.Binary(0, binary.LittleEndian.AppendUint64(nil, uint64(p.start)))
			w.Binary(1, row)
			if pending += len(row) + 8; pending >= spillBatch/2 {
				if err = w.Flush(); err != nil {
					return nil, 0, err
				}
				pending = 0
			}
		}
	}
	if pending > 0 {
		if err = w.Flush(); err != nil {
			return nil, 0, err
		}
	}
	if err = errors.Join(w.Close(), out.Flush()); err != nil {
		return nil, 0, err
	}
	size, err = f.Seek(0, io.SeekEnd)
	return f, size, err
}

// take appends the segment's next cells, and moves it on.
func (s *segment) take(dst []byte, r *run) []byte {
	le := binary.LittleEndian
	if s.wide {
		n := min(s.to-s.from, spillBatch/2/wideBytes)
		dst = append(dst, 1)
		for _, c := range r.wide[s.from : s.from+n] {
			dst = le.AppendUint64(le.AppendUint64(le.AppendUint64(dst, c.Count), uint64(c.SumHigh)), c.SumLow)
			dst = le.AppendUint64(le.AppendUint64(dst, uint64(c.Min)), uint64(c.Max))
			dst = le.AppendUint64(dst, uint64(c.key))
		}
		s.from += n
		return dst
	}
	n := min(s.to-s.from, spillBatch/2/cellBytes)
	dst = append(dst, 0)
	for _, c := range r.cells[s.from : s.from+n] {
		dst = le.AppendUint32(le.AppendUint64(dst, uint64(c.sum)), c.count)
		dst = le.AppendUint32(le.AppendUint32(le.AppendUint32(dst, c.key), uint32(c.min)), uint32(c.max))
	}
	s.from += n
	return dst
}

// spilled is a run on disk.
type spilled struct {
	file   *os.File
	reader *arrow.Reader
	batch  arrow.Batch
	row    int
	narrow []cell
	wide   []wideCell
}

// openSpilled goes to a run's first segment. It owns the file.
func openSpilled(f *os.File) (*spilled, error) {
	s := &spilled{file: f, row: -1}
	var err error
	in := bufio.NewReaderSize(io.NewSectionReader(f, 0, math.MaxInt64), spillBatch/4)
	if s.reader, err = arrow.NewReader(in, spillColumns); err == nil {
		var more bool
		if more, err = s.next(); err == nil && !more {
			err = errors.New("it is empty")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read a spilled run: %w", err)
	}
	return s, nil
}

func (s *spilled) start() int64 { return int64(binary.LittleEndian.Uint64(s.batch.Binary(0, s.row))) }

func (s *spilled) cells() ([]cell, []wideCell) {
	le := binary.LittleEndian
	b := s.batch.Binary(1, s.row)
	s.narrow, s.wide = s.narrow[:0], s.wide[:0]
	kind, b := b[0], b[1:]
	if kind == 1 {
		for ; len(b) >= wideBytes; b = b[wideBytes:] {
			v := func(n int) uint64 { return le.Uint64(b[n*8:]) }
			s.wide = append(s.wide, wideCell{result.Plain{Count: v(0), SumHigh: int64(v(1)), SumLow: v(2), Min: int64(v(3)), Max: int64(v(4))}, uint32(v(5))})
		}
		return nil, s.wide
	}
	for ; len(b) >= cellBytes; b = b[cellBytes:] {
		s.narrow = append(s.narrow, cell{sum: int64(le.Uint64(b)), count: le.Uint32(b[8:]), key: le.Uint32(b[12:]), min: int32(le.Uint32(b[16:])), max: int32(le.Uint32(b[20:]))})
	}
	return s.narrow, nil
}

func (s *spilled) next() (bool, error) {
	s.row++
	for s.row >= s.batch.Len() {
		b, err := s.reader.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s.batch, s.row = b, 0
	}
	return true, nil
}
