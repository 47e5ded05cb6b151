package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"parallax.example/internal/view"
)

// metaRecord is Meta with what the engine needs besides: the rules of time, the
// clock's state, and the sizes of the state, by which a lost record shows.
type metaRecord struct {
	Meta
	rules          [8]byte
	believed, seen int64
	ahead          []stamp
	ids            dedupSize
	again          int64 // see Engine.again; written if it is above Next
}

// rulesHash tells rules of time apart: under other rules no state can go on.
func rulesHash(t *view.Time) (h [8]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "parallax-time-1 believed=%d/%d lag=%d punctuation=%q horizon=%d",
		t.Count, t.Of, t.Lag, t.Senders, view.Horizon))
	copy(h[:], sum[:])
	return h
}

// meta is the meta record of the open transaction.
func (e *Engine) meta(changes uint32) *metaRecord {
	return &metaRecord{
		Meta: Meta{
			Next: e.next, Transaction: e.transaction + 1, Records: e.ordinal, Changes: changes,
			TopicID: e.topicID, Partitions: e.partitions, Stats: e.Stats(),
		},
		rules:    rulesHash(&e.rule),
		believed: e.clock.believed, seen: e.clock.seen, ahead: e.clock.ahead,
		ids: e.dedup.size, again: e.again,
	}
}

func (m *metaRecord) append(dst []byte) []byte {
	dst = binary.AppendVarint(dst, m.Next)
	dst = binary.AppendUvarint(dst, m.Transaction)
	dst = binary.AppendUvarint(dst, uint64(m.Records))
	dst = binary.AppendUvarint(dst, uint64(m.Changes))
	dst = appendText(dst, m.TopicID)
	dst = binary.AppendVarint(dst, int64(m.Partitions))
	dst = append(dst, m.rules[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(m.Views)))
	for i := range m.Views {
		v := &m.Views[i]
		dst = appendText(dst, v.View)
		for _, n := range []uint64{uint64(v.Since), v.Counted, v.Late, v.Cells, v.Pending} {
			dst = binary.AppendUvarint(dst, n)
		}
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
	if m.again > m.Next {
		dst = binary.AppendVarint(dst, m.again)
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
	m.rules = [8]byte(r.take(8))
	for n := r.below(256); n > 0 && !r.bad; n-- {
		m.Views = append(m.Views, ViewStats{
			View: r.text(), Since: int64(r.below(1 << 63)),
			Counted: r.uvarint(), Late: r.uvarint(), Cells: r.uvarint(), Pending: r.uvarint(),
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
	if len(r.rest) > 0 {
		m.again = r.varint()
		r.bad = r.bad || m.again <= m.Next
	}
	for i := 1; i < len(m.Views); i++ {
		r.bad = r.bad || m.Views[i-1].View >= m.Views[i].View
	}
	return m, r.end()
}

// ReadMeta decodes a record of the changelog if it is a meta record, for whoever
// audits transactions. ok is false for any other record.
func ReadMeta(key, value []byte) (m Meta, ok bool, err error) {
	k, err := decodeKey(key)
	if err != nil || k.kind != kindMeta {
		return Meta{}, false, err
	}
	r, err := decodeMeta(value)
	if err != nil {
		return Meta{}, false, err
	}
	return r.Meta, true, nil
}
