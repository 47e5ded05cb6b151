package model

import "time"

// Entry is a record of a log.
type Entry struct {
	Offset     int64
	Timestamp  int64 // ms since 1970
	Key, Value []byte
	Txn        *Txn // that it is part of; nil if none
	Control    bool // a marker, which readers never see
}

// Log is one partition of a topic.
type Log struct {
	Entries []Entry // in offset order; with gaps, if it was compacted
	next    int64
	open    []opened // transactions whose marker is not here yet
}

type opened struct {
	txn   *Txn
	first int64
}

// End is the offset of the next record: the high watermark.
func (l *Log) End() int64 { return l.next }

// Stable is the last stable offset: from there on nothing is decided.
func (l *Log) Stable() int64 {
	stable := l.next
	for _, o := range l.open {
		stable = min(stable, o.first)
	}
	return stable
}

func (l *Log) append(e Entry) int64 {
	e.Offset, e.Timestamp = l.next, max(e.Timestamp, 0)
	if e.Timestamp == 0 {
		e.Timestamp = time.Now().UnixMilli()
	}
	l.next++
	l.Entries = append(l.Entries, e)
	if e.Txn == nil || e.Control {
		return e.Offset
	}
	for _, o := range l.open {
		if o.txn == e.Txn {
			return e.Offset
		}
	}
	l.open = append(l.open, opened{e.Txn, e.Offset})
	return e.Offset
}

// mark writes the marker of a transaction that has ended.
func (l *Log) mark(t *Txn) {
	l.append(Entry{Txn: t, Control: true})
	for i, o := range l.open {
		if o.txn == t {
			l.open = append(l.open[:i], l.open[i+1:]...)
			return
		}
	}
}

// visible says that a reader of committed records sees the entry, if it lies
// below the last stable offset.
func (e *Entry) visible() bool { return !e.Control && (e.Txn == nil || e.Txn.Committed) }

// read returns the visible entries of [from, stable), at most so many, and where
// to read on.
func (l *Log) read(from int64, most int) (found []Entry, next int64) {
	stable := l.Stable()
	next = from
	for i := l.index(from); i < len(l.Entries) && l.Entries[i].Offset < stable; i++ {
		if len(found) == most {
			return found, next
		}
		e := &l.Entries[i]
		if e.visible() {
			found = append(found, *e)
		}
		next = e.Offset + 1
	}
	return found, max(next, stable)
}

// index is the first entry at an offset or above it.
func (l *Log) index(offset int64) int {
	low, high := 0, len(l.Entries)
	for low < high {
		if mid := (low + high) / 2; l.Entries[mid].Offset < offset {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// Read returns all committed records.
func (l *Log) Read() []Entry {
	found, _ := l.read(0, len(l.Entries))
	return found
}

// compact drops, below the last stable offset, what nobody reads: records of
// aborted transactions, and of each key all but the last. Tombstones stay.
func (l *Log) compact() {
	stable := l.Stable()
	last := make(map[string]int64)
	for i := range l.Entries {
		if e := &l.Entries[i]; e.Offset < stable && e.visible() {
			last[string(e.Key)] = e.Offset
		}
	}
	kept := l.Entries[:0:0]
	for _, e := range l.Entries {
		if e.Offset >= stable || e.Control || e.visible() && last[string(e.Key)] == e.Offset {
			kept = append(kept, e)
		}
	}
	l.Entries = kept
}
