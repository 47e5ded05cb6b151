package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	magic     = "parallax ledger\n"
	frameHead = 8
	maxBody   = 4 << 20 // four times what Kafka takes by default
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Kind of an entry.
type Kind uint8

// The kinds of entries after the header.
const (
	kindHeader Kind = iota + 1
	KindIntent
	KindOK
	KindFailed
	KindResent
)

// Entry is one entry as it was written. N is set for every kind; Intent for
// KindIntent; Reason for KindFailed; the rest for KindOK. Bytes alias the
// reader's buffer.
type Entry struct {
	Kind      Kind
	N         uint64
	Intent    Intent
	Partition int32
	Offset    int64
	Time      int64
	Reason    []byte
}

// begin reserves a frame at the end of dst; seal fills it in once the body
// stands behind it.
func begin(dst []byte, k Kind) (grown []byte, at int) {
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(k)), len(dst)
}

func seal(dst []byte, at int) []byte {
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-frameHead))
	binary.LittleEndian.PutUint32(dst[at+4:], sum(dst[at:at+4], dst[at+frameHead:]))
	return dst
}

func sum(length, body []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, length), castagnoli, body)
}

func appendHeader(dst []byte, h *Header) []byte {
	dst, at := begin(dst, kindHeader)
	dst = binary.AppendUvarint(dst, Version)
	for _, s := range [...]string{h.Run, h.Topic, h.Source} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = binary.AppendUvarint(dst, uint64(uint32(h.Partitions)))
	return seal(binary.AppendVarint(dst, h.Started), at)
}

func appendIntent(dst []byte, i *Intent) []byte {
	dst, at := begin(dst, KindIntent)
	dst = binary.AppendUvarint(dst, i.N)
	dst = append(dst, byte(i.Op))
	dst = binary.AppendUvarint(dst, uint64(uint32(i.Partition)))
	dst = binary.AppendVarint(dst, i.Scheduled)
	dst = appendNullable(dst, i.Key)
	return seal(appendNullable(dst, i.Value), at)
}

// appendNullable writes the length plus one, so that 0 is null.
func appendNullable(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b))+1)
	return append(dst, b...)
}

func appendOK(dst []byte, n uint64, partition int32, offset, time int64) []byte {
	dst, at := begin(dst, KindOK)
	dst = binary.AppendUvarint(dst, n)
	dst = binary.AppendUvarint(dst, uint64(uint32(partition)))
	dst = binary.AppendVarint(dst, offset)
	return seal(binary.AppendVarint(dst, time), at)
}

func appendFailed(dst []byte, n uint64, reason string) []byte {
	dst, at := begin(dst, KindFailed)
	dst = binary.AppendUvarint(dst, n)
	dst = binary.AppendUvarint(dst, uint64(len(reason)))
	return seal(append(dst, reason...), at)
}

func appendResent(dst []byte, n uint64) []byte {
	dst, at := begin(dst, KindResent)
	return seal(binary.AppendUvarint(dst, n), at)
}

// cursor reads a body's fields; the first fault sticks.
type cursor struct {
	b   []byte
	err error
}

var errShort = errors.New("the entry ends inside a field")

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail(errShort)
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail(errShort)
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail(errShort)
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) partition() int32 {
	v := c.uvarint()
	if v > 1<<31-1 {
		c.fail(fmt.Errorf("partition %d is out of range", v))
		return 0
	}
	return int32(v)
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail(errShort)
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) nullable() []byte {
	n := c.uvarint()
	if n == 0 {
		return nil
	}
	return c.bytes(n - 1)
}

func (c *cursor) fail(err error) {
	c.b = nil
	if c.err == nil {
		c.err = err
	}
}

// end is the body's verdict: nothing may be left over.
func (c *cursor) end() error {
	if c.err == nil && len(c.b) > 0 {
		return fmt.Errorf("the entry has %d bytes too many", len(c.b))
	}
	return c.err
}

func (h *Header) decode(body []byte) error {
	c := cursor{b: body}
	if k := Kind(c.byte()); k != kindHeader {
		return fmt.Errorf("the first entry is of kind %d, not a header", k)
	}
	if v := c.uvarint(); c.err == nil && v != Version {
		return fmt.Errorf("it has version %d, this program reads version %d", v, Version)
	}
	for _, s := range [...]*string{&h.Run, &h.Topic, &h.Source} {
		*s = string(c.bytes(c.uvarint()))
	}
	h.Partitions = c.partition()
	h.Started = c.varint()
	return c.end()
}

// decode reads a body other than the header's; e aliases it.
func (e *Entry) decode(body []byte) error {
	c := cursor{b: body}
	*e = Entry{Kind: Kind(c.byte())}
	e.N = c.uvarint()
	switch e.Kind {
	case KindIntent:
		i := &e.Intent
		i.N = e.N
		i.Op = Op(c.byte())
		i.Partition = c.partition()
		i.Scheduled = c.varint()
		i.Key = c.nullable()
		i.Value = c.nullable()
		if c.err == nil && (i.Op < Event || i.Op > Punctuation) {
			return fmt.Errorf("operation %d is not known", i.Op)
		}
	case KindOK:
		e.Partition = c.partition()
		e.Offset = c.varint()
		e.Time = c.varint()
	case KindFailed:
		e.Reason = c.bytes(c.uvarint())
	case KindResent:
	default:
		return fmt.Errorf("kind %d is not known", e.Kind)
	}
	return c.end()
}
