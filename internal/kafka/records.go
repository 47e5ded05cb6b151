package kafka

/*
#include <stdlib.h>
#include "produce.h"
*/
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Records are records for one partition of several topics, laid out flat so
// that adding one allocates nothing and the memory is used again. Whoever
// encodes may append to Data directly, and then an Entry.
type Records struct {
	Topics    []string // an Entry's Topic is an index into it
	Partition int32    // of each of them
	Data      []byte   // key, value, key, value, …
	Entries   []Entry
}

// Entry is a record of Records: its key begins where the last record ended,
// its value where its key ended.
type Entry struct {
	KeyEnd, ValueEnd   int
	Topic              int32
	Keyless, Tombstone bool // the key, the value is null; it must be empty
}

// C reads Entries as they are.
var (
	_ [0]struct{} = [unsafe.Sizeof(Entry{}) - unsafe.Sizeof(C.entry{})]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(Entry{}.Tombstone) - unsafe.Offsetof(C.entry{}.tombstone)]struct{}{}
)

// Add adds a record; key and value are copied. A nil one is null.
func (r *Records) Add(topic int, key, value []byte) {
	e := Entry{Topic: int32(topic), Keyless: key == nil, Tombstone: value == nil}
	r.Data = append(r.Data, key...)
	e.KeyEnd = len(r.Data)
	r.Data = append(r.Data, value...)
	e.ValueEnd = len(r.Data)
	r.Entries = append(r.Entries, e)
}

// Len returns the number of records.
func (r *Records) Len() int { return len(r.Entries) }

// Reset empties the list. Topics and partition stay.
func (r *Records) Reset() { r.Data, r.Entries = r.Data[:0], r.Entries[:0] }

// Record returns record i; its key and value are those of Data.
func (r *Records) Record(i int) Record {
	e, start := r.Entries[i], 0
	if i > 0 {
		start = r.Entries[i-1].ValueEnd
	}
	result := Record{Topic: r.Topics[e.Topic], Partition: r.Partition}
	if !e.Keyless {
		result.Key = present(r.Data[start:e.KeyEnd])
	}
	if !e.Tombstone {
		result.Value = present(r.Data[e.KeyEnd:e.ValueEnd])
	}
	return result
}

// present makes sure that what is empty is not null.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// check finds a record that is too large. C trusts the list, so one that is not
// in order is found here as well.
func (r *Records) check(limit int) error {
	start := 0
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.KeyEnd < start || e.ValueEnd < e.KeyEnd || e.ValueEnd > len(r.Data) || int(e.Topic) >= len(r.Topics) || e.Topic < 0 ||
			e.Keyless && e.KeyEnd != start || e.Tombstone && e.ValueEnd != e.KeyEnd {
			panic(fmt.Sprintf("BUG: record %d of %d is %+v after %d in %d bytes and %d topics", i, len(r.Entries), *e, start, len(r.Data), len(r.Topics)))
		}
		if size := e.ValueEnd - start + overhead; size > limit {
			return &TooLargeError{Topic: r.Topics[e.Topic], Size: size, Limit: limit}
		}
		start = e.ValueEnd
	}
	return nil
}

// handles are a producer's topics for calls past the Go client.
type handles struct {
	rk     *C.rd_kafka_t
	topics map[string]*C.rd_kafka_topic_t
	list   []*C.rd_kafka_topic_t // of the current call
	wait   func()                // a moment, for room in the client's queue
}

// newHandles returns nil and the reason where records must go one by one.
func newHandles(client *ck.Producer) (*handles, error) {
	if err := able(); err != nil {
		return nil, err
	}
	rk, err := native(client)
	if err != nil {
		return nil, err
	}
	return handlesOf(rk, func() { time.Sleep(time.Millisecond) }), nil
}

func handlesOf(rk *C.rd_kafka_t, wait func()) *handles {
	return &handles{rk: rk, topics: make(map[string]*C.rd_kafka_topic_t), wait: wait}
}

// resolve fills the list with the handles of the topics.
func (h *handles) resolve(topics []string) error {
	h.list = h.list[:0]
	for _, name := range topics {
		topic := h.topics[name]
		if topic == nil {
			c := C.CString(name)
			topic = C.rd_kafka_topic_new(h.rk, c, nil)
			C.free(unsafe.Pointer(c))
			if topic == nil {
				return ck.NewError(ck.ErrInvalidArg, fmt.Sprintf("topic %q is impossible", name), false)
			}
			h.topics[name] = topic
		}
		h.list = append(h.list, topic)
	}
	return nil
}

// produce hands the records over, waiting for room in the client's queue until
// the deadline. With an error it returns the record that was refused.
func (h *handles) produce(r *Records, deadline time.Time) (refused int, err error) {
	if err := h.resolve(r.Topics); err != nil {
		return 0, err
	}
	var topic, at C.int
	for int(topic) < len(h.list) {
		code := ck.ErrorCode(C.produce_some(&h.list[0], C.int32_t(r.Partition), (*C.uint8_t)(unsafe.SliceData(present(r.Data))),
			(*C.entry)(unsafe.Pointer(&r.Entries[0])), C.int(len(r.Entries)), &topic, &at))
		if code == ck.ErrNoError {
			continue
		}
		if code != ck.ErrQueueFull || !time.Now().Before(deadline) {
			return int(at), ck.NewError(code, "", false)
		}
		h.wait() // room comes when the broker acknowledges
	}
	return 0, nil
}

// close must come before the client's own Close.
func (h *handles) close() {
	for _, topic := range h.topics {
		C.rd_kafka_topic_destroy(topic)
	}
}
