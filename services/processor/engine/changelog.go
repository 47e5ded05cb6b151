package engine

import (
	"encoding/binary"
	"fmt"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
)

// The form of the changelog. A key is the version, the kind, and what it names;
// numbers in keys are big-endian. A value holds varints, except blocks, which
// are 64 little-endian words. Keys and values have this form in version 2:
//
//	meta      –                     see metaRecord.append
//	pane      view, start, key      aggregates
//	session   view, start, key      told (0 or 1), end-start, aggregates
//	producer  name                  largest seq
//	block     number, producer      the bits
//	reach     –                     the next input offset
//	made      –                     the guarantee, from 1
//
// A view is 8 bytes of the hash of its id. Aggregates are count, sum (high, low),
// min, max, then the sketches that the view asks for, histogram before distinct,
// each as its length and its canonical bytes.
//
// A reach goes before the changes of a batch, and only where those are not
// atomic, see Engine.Resume. A made goes before everything else there.
//
// Version 1 named views by their positions and had a cell for each window.
const changelogVersion = 2

const (
	kindMeta = iota
	kindPane
	kindSession
	kindProducer
	kindBlock
	kindReach
	kindMade
)

func appendMetaKey(dst []byte) []byte { return append(dst, changelogVersion, kindMeta) }

func (v *viewState) appendCellKey(dst []byte, start int64, key []byte) []byte {
	kind := byte(kindPane)
	if v.isSession() {
		kind = kindSession
	}
	dst = append(append(dst, changelogVersion, kind), v.hash[:]...)
	return append(binary.BigEndian.AppendUint64(dst, uint64(start)), key...)
}

func appendProducerKey(dst, name []byte) []byte {
	return append(append(dst, changelogVersion, kindProducer), name...)
}

func appendBlockKey(dst []byte, number uint64, producer []byte) []byte {
	dst = append(dst, changelogVersion, kindBlock)
	return append(binary.BigEndian.AppendUint64(dst, number), producer...)
}

// appendCell appends a cell's value. It notes how long its sketches are.
func (v *viewState) appendCell(dst []byte, id uint32, scratch *[]byte) []byte {
	if v.isSession() {
		s := &v.sessions[id]
		told := byte(0)
		if s.told {
			told = 1
		}
		dst = binary.AppendUvarint(append(dst, told), uint64(s.end-v.list[id].start))
	}
	dst = appendPlain(dst, &v.list[id].agg)
	if v.sketches == nil {
		return dst
	}
	s, before := &v.sketches[id], len(dst)
	if v.asks.quantiles {
		*scratch = s.quantiles.Append((*scratch)[:0])
		dst = append(binary.AppendUvarint(dst, uint64(len(*scratch))), *scratch...)
	}
	if v.asks.distinct {
		*scratch = s.distinct.Append((*scratch)[:0])
		dst = append(binary.AppendUvarint(dst, uint64(len(*scratch))), *scratch...)
	}
	v.setEncoded(id, len(dst)-before)
	return dst
}

func (v *viewState) setEncoded(id uint32, n int) {
	s := &v.sketches[id]
	v.encoded += uint64(n) - uint64(s.encoded)
	s.encoded = uint32(n)
}

func appendPlain(dst []byte, a *result.Plain) []byte {
	dst = binary.AppendUvarint(dst, a.Count)
	dst = binary.AppendVarint(dst, a.SumHigh)
	dst = binary.AppendVarint(dst, int64(a.SumLow)) // short for sums near zero of either sign
	dst = binary.AppendVarint(dst, a.Min)
	return binary.AppendVarint(dst, a.Max)
}

// decodeCell reads a cell's value into a cell and what it has besides.
func (v *viewState) decodeCell(id uint32, b []byte) error {
	r := reader{rest: b}
	c := &v.list[id]
	if v.isSession() {
		v.sessions[id] = session{told: r.below(2) == 1, end: c.start + int64(r.below(1<<60))}
	}
	a := &c.agg
	a.Count = r.uvarint()
	a.SumHigh = r.varint()
	a.SumLow = uint64(r.varint())
	a.Min, a.Max = r.varint(), r.varint()
	if a.Count == 0 || a.Min > a.Max {
		r.bad = true
	}
	if v.sketches != nil {
		if err := v.decodeSketches(id, &r); err != nil {
			return err
		}
	}
	return r.end()
}

func (v *viewState) decodeSketches(id uint32, r *reader) error {
	s, before := &v.sketches[id], len(r.rest)
	if v.asks.quantiles {
		if err := s.quantiles.Decode(r.bytes()); err != nil {
			return err
		}
		if n := s.quantiles.Count(); n != v.list[id].agg.Count && !r.bad {
			return fmt.Errorf("its histogram counts %d values of %d", n, v.list[id].agg.Count)
		}
	}
	if v.asks.distinct {
		b := r.bytes()
		if err := s.distinct.Decode(b); err != nil {
			return err
		}
		r.bad = r.bad || len(b) == 0
	}
	v.setEncoded(id, before-len(r.rest))
	return nil
}

// Reach is the key and value of a changelog record which says how far the changes
// behind it may have come, if not all of them are there.
func Reach(next int64) (key, value []byte) {
	return []byte{changelogVersion, kindReach}, binary.AppendUvarint(nil, uint64(next))
}

// Made is the key and value of a changelog record which says that what is behind
// it is not atomic, and by which guarantee it is written; the engine only keeps
// the number, which is not 0.
func Made(guarantee byte) (key, value []byte) {
	return []byte{changelogVersion, kindMade}, []byte{guarantee}
}

func decodeMade(b []byte) (guarantee byte, err error) {
	if len(b) != 1 || b[0] == 0 {
		return 0, errForm
	}
	return b[0], nil
}

func decodeReach(b []byte) (next int64, err error) {
	r := reader{rest: b}
	next = int64(r.below(1 << 63))
	return next, r.end()
}

func appendProducer(dst []byte, largest uint64) []byte { return binary.AppendUvarint(dst, largest) }

func decodeProducer(b []byte) (largest uint64, err error) {
	r := reader{rest: b}
	largest = r.uvarint()
	return largest, r.end()
}

func appendBlock(dst []byte, b *block) []byte {
	for _, w := range b {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

func decodeBlock(dst *block, b []byte) error {
	if len(b) != blockSeqs/8 {
		return errForm
	}
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return nil
}

// stateKey is a decoded key.
type stateKey struct {
	kind   byte
	view   [8]byte
	number uint64 // a cell's start or a block's number
	text   []byte // a key or a producer; aliases what was decoded
}

func decodeKey(b []byte) (k stateKey, err error) {
	if len(b) < 2 {
		return k, errForm
	}
	switch b[0] {
	case changelogVersion:
	case 1:
		return k, fmt.Errorf("it has version 1, it was written by an earlier version of this program, and this one reads version %d: "+
			"run the earlier version, or answer from the first offset on under another topic prefix and group; "+
			"`parallax processor rebuild` cannot read it either", changelogVersion)
	default:
		return k, fmt.Errorf("it has version %d, this program reads version %d", b[0], changelogVersion)
	}
	k.kind = b[1]
	r := reader{rest: b[2:]}
	limit := event.MaxProducer
	switch k.kind {
	case kindMeta, kindReach, kindMade:
		return k, r.end()
	case kindPane, kindSession:
		k.view = [8]byte(r.take(8))
		k.number = binary.BigEndian.Uint64(r.take(8))
		limit = event.MaxKey
	case kindBlock:
		k.number = binary.BigEndian.Uint64(r.take(8))
		if k.number > (1<<64-1)/blockSeqs {
			r.bad = true
		}
	case kindProducer:
	default:
		return k, fmt.Errorf("its kind %d is not known", k.kind)
	}
	k.text = r.rest
	if r.bad || len(k.text) == 0 || len(k.text) > limit {
		return k, errForm
	}
	return k, nil
}
