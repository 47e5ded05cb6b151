package kafka

/*
#include <stdlib.h>
#include "lane.h"
*/
import "C"

import (
	"fmt"
	"os"
	"slices"
	"time"
	"unsafe"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// lanes are the queues of a consumer's partitions, and the pipe into which
// librdkafka writes a byte when one of them, or the consumer's own queue of
// rebalances and errors, stops being empty.
type lanes struct {
	rk      *C.rd_kafka_t
	events  *C.rd_kafka_queue_t // the consumer's own queue
	wake    *os.File
	written *os.File
	fd      C.int // of written
	open    []*lane
	turn    int // where the next round begins, so that no partition starves
}

type lane struct {
	place
	c    *C.lane
	held bool
}

func newLanes(consumer *ck.Consumer) (*lanes, error) {
	rk, err := native(consumer)
	if err != nil {
		return nil, err
	}
	q := &lanes{rk: rk}
	if q.wake, q.written, err = os.Pipe(); err != nil {
		return nil, err
	}
	raw, err := q.written.SyscallConn()
	if err == nil {
		// Not Fd, which would make the pipe block: librdkafka would hang in a full one.
		err = raw.Control(func(fd uintptr) { q.fd = C.int(fd) })
	}
	if err == nil {
		if q.events = C.events_watch(rk, q.fd); q.events == nil {
			err = errSymbols
		}
	}
	if err != nil {
		q.wake.Close()
		q.written.Close()
		return nil, err
	}
	return q, nil
}

// take makes lanes of partitions. It must come before they are assigned, or
// their first records take the other way.
func (q *lanes) take(tps []ck.TopicPartition) error {
	for _, tp := range tps {
		topic := C.CString(*tp.Topic)
		c := C.lane_new(q.rk, topic, C.int32_t(tp.Partition), q.fd)
		C.free(unsafe.Pointer(topic))
		if c == nil {
			return fmt.Errorf("cannot take the queue of topic %q, partition %d", *tp.Topic, tp.Partition)
		}
		q.open = append(q.open, &lane{place: place{*tp.Topic, tp.Partition}, c: c})
	}
	return nil
}

// release gives all lanes back and drops what is in them.
func (q *lanes) release() {
	for _, l := range q.open {
		C.lane_free(l.c)
	}
	q.open = nil
}

func (q *lanes) find(p place) *lane {
	i := slices.IndexFunc(q.open, func(l *lane) bool { return l.place == p })
	if i < 0 {
		return nil
	}
	return q.open[i]
}

// close must come before the consumer's own Close, which frees the queues.
func (q *lanes) close() {
	q.release()
	C.events_free(q.events)
	q.wake.Close()
	q.written.Close()
}

// silent says that the consumer's own queue has nothing to tell.
func (q *lanes) silent() bool { return C.rd_kafka_queue_length(q.events) == 0 }

// wait returns when a queue may have something, after d at the latest. A byte
// from before is read as well: whoever waits has seen all queues empty after
// the byte of the last one was asked for, so no byte means no record.
func (q *lanes) wait(d time.Duration) error {
	if err := q.wake.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	var bytes [256]byte
	if _, err := q.wake.Read(bytes[:]); err != nil && !os.IsTimeout(err) {
		return err
	}
	return nil
}

// drop forgets what was taken from the queue already. What is still in it
// after a seek has an older version, and librdkafka drops that itself.
func (l *lane) drop() { C.lane_drop(l.c) }

// perCall bounds the records of one call into C, to some microseconds: of a call
// that takes 20 µs or more the Go scheduler thinks that it blocks, and wakes
// another thread to take over, again and again.
const perCall = 64

// read appends to b at most room records, and beyond limit bytes less than one
// record. It returns what it appended, and an error that stood behind that.
func (l *lane) read(b *Batch, keys bool, room, limit int) (records, bytes int, err error) {
	for room > 0 && limit > 0 {
		asked := min(room, perCall)
		n := l.copy(b, keys, asked, limit)
		records += n.records
		bytes += n.bytes
		room -= n.records
		limit -= n.bytes
		switch {
		case l.c.error != 0:
			return records, bytes, ck.NewError(ck.ErrorCode(l.c.error), C.GoString(&l.c.error_text[0]), false)
		case l.c.data_need > 0 || l.c.key_need > 0:
			b.Data = slices.Grow(b.Data, max(int(l.c.data_need), 64<<10))
			b.KeyData = slices.Grow(b.KeyData, int(l.c.key_need))
		case n.records < asked:
			return records, bytes, nil
		}
	}
	return records, bytes, nil
}

type size struct{ records, bytes int }

// copy lets C write behind what b holds, as far as its capacity reaches.
func (l *lane) copy(b *Batch, keys bool, room, limit int) size {
	have := len(b.Offsets)
	b.Offsets = slices.Grow(b.Offsets, room)
	b.Timestamps = slices.Grow(b.Timestamps, room)
	b.Ends = slices.Grow(b.Ends, room)
	var keyEnds *C.intptr_t
	var nulls *C.uint8_t
	if keys {
		b.KeyEnds = slices.Grow(b.KeyEnds, room)
		b.Null = slices.Grow(b.Null, room)
		keyEnds = (*C.intptr_t)(unsafe.Pointer(rest(b.KeyEnds)))
		nulls = (*C.uint8_t)(unsafe.Pointer(rest(b.Null)))
	}
	before := len(b.Data) + len(b.KeyData)
	l.c.data_len, l.c.key_len = C.size_t(len(b.Data)), C.size_t(len(b.KeyData))
	l.c.next = -1
	n := int(C.lane_read(l.c, C.int(room), C.size_t(limit),
		(*C.int64_t)(rest(b.Offsets)), (*C.int64_t)(rest(b.Timestamps)), (*C.intptr_t)(unsafe.Pointer(rest(b.Ends))),
		(*C.uint8_t)(unsafe.SliceData(b.Data)), C.size_t(cap(b.Data)),
		keyEnds, (*C.uint8_t)(unsafe.SliceData(b.KeyData)), C.size_t(cap(b.KeyData)), nulls))
	b.Offsets, b.Timestamps, b.Ends = b.Offsets[:have+n], b.Timestamps[:have+n], b.Ends[:have+n]
	b.Data = b.Data[:l.c.data_len]
	if keys {
		b.KeyEnds, b.Null, b.KeyData = b.KeyEnds[:have+n], b.Null[:have+n], b.KeyData[:l.c.key_len]
	}
	if l.c.next >= 0 {
		b.Next, b.AtEnd = int64(l.c.next), l.c.at_end != 0
	}
	return size{n, len(b.Data) + len(b.KeyData) - before}
}

// rest is where the next element of a slice with room for it goes.
func rest[E any](s []E) *E { return &s[:len(s)+1][len(s)] }
