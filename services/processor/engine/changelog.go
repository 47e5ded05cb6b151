package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"parallax.example/internal/event"
	"parallax.example/internal/view"
)

// The form of the changelog. A key is the version, the kind, and what it names;
// numbers in keys are big-endian. A value holds varints, except blocks, which
// are 64 little-endian words. Keys and values have this form in version 2:
//
//	meta      –                     see metaRecord.append
//	cell      view, start, key      count, sum (high, low), min, max
//	producer  name                  largest seq
//	block     number, producer      the bits
//
// A view is its position among the view ids in order, which meta lists.
const changelogVersion = 2

const (
	kindMeta = iota
	kindCell
	kindProducer
	kindBlock
)

func appendMetaKey(dst []byte) []byte { return append(dst, changelogVersion, kindMeta) }

func appendCellKey(dst []byte, view uint8, start int64, key []byte) []byte {
	dst = append(dst, changelogVersion, kindCell, view)
	return append(binary.BigEndian.AppendUint64(dst, uint64(start)), key...)
}

func appendProducerKey(dst, name []byte) []byte {
	return append(append(dst, changelogVersion, kindProducer), name...)
}

func appendBlockKey(dst []byte, number uint64, producer []byte) []byte {
	dst = append(dst, changelogVersion, kindBlock)
	return append(binary.BigEndian.AppendUint64(dst, number), producer...)
}

func appendCell(dst []byte, c *cell) []byte {
	dst = binary.AppendUvarint(dst, c.agg.Count)
	dst = binary.AppendVarint(dst, c.agg.SumHigh)
	dst = binary.AppendVarint(dst, int64(c.agg.SumLow)) // short for sums near zero of either sign
	dst = binary.AppendVarint(dst, c.agg.Min)
	return binary.AppendVarint(dst, c.agg.Max)
}

func decodeCell(b []byte) (c cell, err error) {
	r := reader{rest: b}
	c.agg.Count = r.uvarint()
	c.agg.SumHigh = r.varint()
	c.agg.SumLow = uint64(r.varint())
	c.agg.Min, c.agg.Max = r.varint(), r.varint()
	if c.agg.Count == 0 || c.agg.Min > c.agg.Max {
		r.bad = true
	}
	return c, r.end()
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

// metaRecord is Meta with what the engine needs besides: the clock's state and
// the sizes of the state, by which a lost record shows.
type metaRecord struct {
	Meta
	believed, seen int64
	ahead          []stamp
	ids            dedupSize
}

func (m *metaRecord) append(dst []byte) []byte {
	dst = binary.AppendVarint(dst, m.Next)
	dst = binary.AppendUvarint(dst, m.Transaction)
	dst = binary.AppendUvarint(dst, uint64(m.Records))
	dst = binary.AppendUvarint(dst, uint64(m.Changes))
	dst = appendText(dst, m.TopicID)
	dst = binary.AppendVarint(dst, int64(m.Partitions))
	dst = binary.AppendUvarint(dst, uint64(len(m.Views)))
	for i := range m.Views {
		v := &m.Views[i]
		dst = appendText(dst, v.View)
		dst = binary.AppendUvarint(dst, v.Counted)
		dst = binary.AppendUvarint(dst, v.Late)
		dst = binary.AppendUvarint(dst, v.Cells)
		dst = binary.AppendUvarint(dst, v.Pending)
	}
	for _, n := range []uint64{m.Stats.Records, m.Valid, m.Duplicates, m.Stale, m.DeadLetters, m.Punctuation} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, uint64(m.Producers))
	dst = binary.AppendUvarint(dst, m.ids.blocks)
	dst = binary.AppendUvarint(dst, m.ids.ids)
	dst = binary.AppendUvarint(dst, m.ids.largest)
	dst = binary.AppendVarint(dst, m.Watermark)
	dst = binary.AppendVarint(dst, m.believed)
	dst = binary.AppendVarint(dst, m.seen)
	dst = binary.AppendUvarint(dst, uint64(len(m.ahead)))
	for _, s := range m.ahead {
		dst = binary.AppendUvarint(dst, uint64(m.seen-s.position))
		dst = binary.AppendVarint(dst, s.time)
	}
	return dst
}

func decodeMeta(b []byte) (*metaRecord, error) {
	r := reader{rest: b}
	m := &metaRecord{}
	m.Next = r.varint()
	m.Transaction = r.uvarint()
	m.Records = uint32(r.below(1 << 32))
	m.Changes = uint32(r.below(1 << 32))
	m.TopicID = r.text()
	m.Partitions = int32(r.varint())
	for n := r.below(256); n > 0 && !r.bad; n-- {
		m.Views = append(m.Views, ViewStats{
			View: r.text(), Counted: r.uvarint(), Late: r.uvarint(), Cells: r.uvarint(), Pending: r.uvarint(),
		})
	}
	for _, n := range []*uint64{&m.Stats.Records, &m.Valid, &m.Duplicates, &m.Stale, &m.DeadLetters, &m.Punctuation} {
		*n = r.uvarint()
	}
	m.Producers = int(r.below(1 << 32))
	m.ids = dedupSize{blocks: r.uvarint(), ids: r.uvarint(), largest: r.uvarint()}
	m.Watermark = r.varint()
	m.believed, m.seen = r.varint(), r.varint()
	for n := r.below(1 << 16); n > 0 && !r.bad; n-- {
		age := r.below(1 << 16)
		m.ahead = append(m.ahead, stamp{m.seen - int64(age), r.varint()})
	}
	return m, r.end()
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var errForm = errors.New("it does not have the form of a record of this version")

// reader takes values off the front of bytes; after a fault it gives zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	return uint64(take(r, n, int64(v)))
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	return take(r, n, v)
}

func take(r *reader, n int, v int64) int64 {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) below(limit uint64) uint64 {
	v := r.uvarint()
	if v >= limit {
		r.bad = true
		return 0
	}
	return v
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) text() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *reader) end() error {
	if r.bad || len(r.rest) > 0 {
		return errForm
	}
	return nil
}

// stateKey is a decoded key.
type stateKey struct {
	kind   byte
	view   uint8
	number uint64 // a window's start or a block's number
	text   []byte // a key or a producer
}

func decodeKey(b []byte) (k stateKey, err error) {
	if len(b) < 2 {
		return k, errForm
	}
	if b[0] != changelogVersion {
		return k, fmt.Errorf("it has version %d, this program reads version %d", b[0], changelogVersion)
	}
	k.kind = b[1]
	r := reader{rest: b[2:]}
	limit := event.MaxProducer
	switch k.kind {
	case kindMeta:
		return k, r.end()
	case kindCell:
		k.view = r.byte()
		k.number = r.fixed()
		limit = event.MaxKey
	case kindBlock:
		k.number = r.fixed()
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

func (r *reader) fixed() uint64 {
	if len(r.rest) < 8 {
		r.bad = true
		return 0
	}
	v := binary.BigEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return v
}

// ViewsError says that the state answers other questions than the engine is to
// answer. Ids carry the hash of their definition and of the rules of time.
type ViewsError struct {
	State, File []string // view.View.ID, sorted
}

func (e *ViewsError) Error() string {
	return fmt.Sprintf("the processor refuses to continue: its state answers the views %q, but views.yaml asks for %q; "+
		"put the former definitions back, or choose another topic prefix to answer the new ones from the first offset on", e.State, e.File)
}

// ids are the identities of the table's views.
func (t *table) ids() []string {
	ids := make([]string, len(t.views))
	for i := range t.views {
		ids[i] = t.views[i].def.ID()
	}
	return ids
}

// aligned reports whether a window of the view can start there.
func aligned(v *view.View, start int64) bool {
	return start > event.MinTime-v.Window.Size && start < event.EndTime && start%v.Window.Hop == 0
}
