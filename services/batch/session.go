package batch

import (
	"encoding/binary"
	"errors"

	"parallax.example/internal/view"
)

// sessionShuffle is the map stage of views with sessions: each event that B
// counts becomes one shuffle record for all of these views, with the watermark
// before it. Sorted, the records of a key in a partition stand together, in the
// order of their offsets.
type sessionShuffle struct {
	rises walk
	// least is the shortest time from an event to the close of its own interval
	// in any view. One that came later may be late, and then its judgement names
	// who sent it; of the others nobody asks.
	least int64
}

// with counts a view in; the receiver may be nil.
func (s *sessionShuffle) with(v *view.View, rises *steps) *sessionShuffle {
	closes := v.Window.Gap + v.Lateness
	if s == nil {
		return &sessionShuffle{rises: walk{steps: rises}, least: closes}
	}
	s.least = min(s.least, closes)
	return s
}

// begin goes back to the first step: a batch may begin before the last one did.
func (s *sessionShuffle) begin() { s.rises.next = 0 }

func (j *judge) emitEvent(b *batchColumns, i int, stale bool) (err error) {
	e := sessionEvent{
		offset: b.offsets[i], time: b.times[i], value: b.values[i], stale: stale,
		watermark: j.sessions.rises.before(b.offsets[i]),
	}
	if j.asked {
		e.subject = b.subjects[i]
	}
	if e.time+j.sessions.least <= e.watermark {
		if e.producer, e.seq, err = j.identities.of(i); err != nil {
			return err
		}
	}
	j.key = e.appendKey(j.key[:0], j.keys.names[b.keys[i]], j.p.Partition.Partition)
	j.value = e.appendValue(j.value[:0])
	j.out.Emit(j.key, j.value)
	return nil
}

// sessionEvent is an event on its way to its sessions.
type sessionEvent struct {
	offset, time, value int64
	watermark           int64 // before it
	subject             uint64
	stale               bool // B alone counts it

	// Of those that may be late; producer is nil without an identity.
	producer []byte
	seq      uint64
}

func (e *sessionEvent) appendKey(dst, key []byte, partition int32) []byte {
	dst = appendEventKey(append(dst, sessionRecord), key)
	dst = binary.BigEndian.AppendUint32(dst, uint32(partition))
	return binary.BigEndian.AppendUint64(dst, uint64(e.offset))
}

// The first byte of an event's record.
const (
	isStale = 1 << iota
	hasProducer
)

const sessionEventSize = 1 + 4*8 // without an identity

func (e *sessionEvent) appendValue(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	if e.stale {
		dst[at] |= isStale
	}
	for _, v := range [...]uint64{uint64(e.time), uint64(e.value), uint64(e.watermark), e.subject} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	if e.producer != nil {
		dst[at] |= hasProducer
		dst = binary.LittleEndian.AppendUint64(dst, e.seq)
		dst = append(dst, e.producer...)
	}
	return dst
}

// sessionGroup is the part of an event's key that a key's events of one
// partition share.
func sessionGroup(key []byte) []byte { return key[:len(key)-8] }

func decodeSessionGroup(group []byte) (key []byte, partition int32, err error) {
	if len(group) < 1+2+4 || group[0] != sessionRecord {
		return nil, 0, errors.New("an event's key that is too short")
	}
	tail := len(group) - 4
	return decodeEventKey(group[1:tail]), int32(binary.BigEndian.Uint32(group[tail:])), nil
}

// decodeSessionEvent copies what it keeps.
func decodeSessionEvent(key, value []byte) (e sessionEvent, err error) {
	if len(key) < 1+2+4+8 || len(value) < sessionEventSize {
		return e, errors.New("an event that is too short")
	}
	v := func(n int) uint64 { return binary.LittleEndian.Uint64(value[1+n*8:]) }
	e = sessionEvent{
		offset: int64(binary.BigEndian.Uint64(key[len(key)-8:])), stale: value[0]&isStale != 0,
		time: int64(v(0)), value: int64(v(1)), watermark: int64(v(2)), subject: v(3),
	}
	if value[0]&hasProducer != 0 {
		if len(value) < sessionEventSize+8 {
			return e, errors.New("an event that is too short")
		}
		e.seq = v(4)
		e.producer = append([]byte{}, value[sessionEventSize+8:]...)
	}
	return e, nil
}
