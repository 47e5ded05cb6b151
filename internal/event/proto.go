package event

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// First bytes of the Protobuf form: field 1 or 2 of Record, length-delimited.
const (
	tagEvent       = 1<<3 | bytesType
	tagPunctuation = 2<<3 | bytesType
)

// Wire types, the low bits of a tag.
const (
	varintType  = byte(protowire.VarintType)
	fixed64Type = byte(protowire.Fixed64Type)
	bytesType   = byte(protowire.BytesType)
)

// AppendProto appends e as a Protobuf Record: fields in the order of their
// numbers, so that equal events have equal bytes. It does not check limits.
func AppendProto(dst []byte, e *Event) []byte {
	size := 1 + protowire.SizeBytes(len(e.Key)) + 1 + 8 + 1 + protowire.SizeVarint(protowire.EncodeZigZag(e.Value))
	if e.HasID {
		size += 1 + protowire.SizeBytes(len(e.Producer)) + 1 + protowire.SizeVarint(e.Seq)
	}
	if len(e.Subject) > 0 {
		size += 1 + protowire.SizeBytes(len(e.Subject))
	}
	dst = append(dst, tagEvent)
	dst = protowire.AppendVarint(dst, uint64(size))
	if e.HasID {
		dst = protowire.AppendTag(dst, 1, protowire.BytesType)
		dst = protowire.AppendBytes(dst, e.Producer)
		dst = protowire.AppendTag(dst, 2, protowire.VarintType)
		dst = protowire.AppendVarint(dst, e.Seq)
	}
	dst = protowire.AppendTag(dst, 3, protowire.BytesType)
	dst = protowire.AppendBytes(dst, e.Key)
	if len(e.Subject) > 0 {
		dst = protowire.AppendTag(dst, 4, protowire.BytesType)
		dst = protowire.AppendBytes(dst, e.Subject)
	}
	dst = protowire.AppendTag(dst, 5, protowire.Fixed64Type)
	dst = protowire.AppendFixed64(dst, uint64(e.Time))
	dst = protowire.AppendTag(dst, 6, protowire.VarintType)
	return protowire.AppendVarint(dst, protowire.EncodeZigZag(e.Value))
}

// AppendPunctuationProto appends p as a Protobuf Record.
func AppendPunctuationProto(dst []byte, p *Punctuation) []byte {
	dst = append(dst, tagPunctuation)
	dst = protowire.AppendVarint(dst, uint64(1+protowire.SizeBytes(len(p.Sender))+1+8))
	dst = protowire.AppendTag(dst, 1, protowire.BytesType)
	dst = protowire.AppendBytes(dst, p.Sender)
	dst = protowire.AppendTag(dst, 2, protowire.Fixed64Type)
	return protowire.AppendFixed64(dst, uint64(p.Watermark))
}

// scanProto reads the usual shape without the general machinery: one event with
// the fields in the order of AppendProto, texts and the whole shorter than 128
// bytes. It reports false for anything else, valid or not, and may leave parts
// of it in r; decodeProto then decides.
func (r *Record) scanProto(b []byte) bool {
	e := &r.Event
	body, rest, ok := scanText(b, tagEvent)
	if !ok || len(rest) > 0 {
		return false
	}
	if e.Producer, b, ok = scanText(body, 1<<3|bytesType); ok {
		if e.HasID = true; len(b) == 0 || b[0] != 2<<3|varintType {
			return false
		}
		var n int
		if e.Seq, n = protowire.ConsumeVarint(b[1:]); n < 0 {
			return false
		}
		b = b[1+n:]
	}
	if e.Key, b, ok = scanText(b, 3<<3|bytesType); !ok {
		return false
	}
	e.Subject, b, _ = scanText(b, 4<<3|bytesType)
	if len(b) < 10 || b[0] != 5<<3|fixed64Type || b[9] != 6<<3|varintType {
		return false
	}
	e.Time = int64(binary.LittleEndian.Uint64(b[1:]))
	v, n := protowire.ConsumeVarint(b[10:])
	e.Value = protowire.DecodeZigZag(v)
	r.Kind = KindEvent
	return n == len(b)-10
}

// scanText takes a field of fewer than 128 bytes with this tag off b, or leaves
// b as it is.
func scanText(b []byte, tag byte) (text, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag || b[1] >= 0x80 || int(b[1]) > len(b)-2 {
		return nil, b, false
	}
	end := 2 + int(b[1])
	return b[2:end], b[end:], true
}

// decodeProto accepts unknown fields (a newer producer), but not two payloads:
// Protobuf would merge or overwrite them, which is a guess.
func (r *Record) decodeProto(b []byte) *Invalid {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed("record", n)
		}
		b = b[n:]
		if num != 1 && num != 2 {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return malformed("record", n)
			}
			b = b[n:]
			continue
		}
		if typ != protowire.BytesType {
			return invalid(Malformed, "field %d of the record is not a message", num)
		}
		body, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return malformed("record", n)
		}
		b = b[n:]
		if r.Kind != 0 {
			return invalid(Undecided, "more than one event or punctuation in one message")
		}
		var err *Invalid
		if num == 1 {
			r.Kind = KindEvent
			err = r.Event.decodeProto(body)
		} else {
			r.Kind = KindPunctuation
			err = r.Punctuation.decodeProto(body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Event) decodeProto(b []byte) *Invalid {
	var hasProducer, hasSeq, hasTime, hasValue bool
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed("event", n)
		}
		b = b[n:]
		switch {
		case num == 1 && typ == protowire.BytesType:
			e.Producer, n = protowire.ConsumeBytes(b)
			hasProducer = true
		case num == 2 && typ == protowire.VarintType:
			e.Seq, n = protowire.ConsumeVarint(b)
			hasSeq = true
		case num == 3 && typ == protowire.BytesType:
			e.Key, n = protowire.ConsumeBytes(b)
		case num == 4 && typ == protowire.BytesType:
			e.Subject, n = protowire.ConsumeBytes(b)
		case num == 5 && typ == protowire.Fixed64Type:
			var v uint64
			v, n = protowire.ConsumeFixed64(b)
			e.Time, hasTime = int64(v), true
		case num == 6 && typ == protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			e.Value, hasValue = protowire.DecodeZigZag(v), true
		case num <= 6:
			return invalid(Malformed, "field %d of the event has wire type %d", num, typ)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return malformed("event", n)
		}
		b = b[n:]
	}
	return e.present(hasProducer, hasSeq, hasTime, hasValue)
}

// present applies the rules of presence that both wire forms share.
func (e *Event) present(producer, seq, time, value bool) *Invalid {
	switch {
	case producer != seq:
		return invalid(Incomplete, "producer and seq belong together: give both or neither")
	case !time:
		return invalid(Missing, "event_time is missing")
	case !value:
		return invalid(Missing, "value is missing")
	}
	e.HasID = producer
	return nil
}

func (p *Punctuation) decodeProto(b []byte) *Invalid {
	var has bool
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed("punctuation", n)
		}
		b = b[n:]
		switch {
		case num == 1 && typ == protowire.BytesType:
			p.Sender, n = protowire.ConsumeBytes(b)
		case num == 2 && typ == protowire.Fixed64Type:
			var v uint64
			v, n = protowire.ConsumeFixed64(b)
			p.Watermark, has = int64(v), true
		case num <= 2:
			return invalid(Malformed, "field %d of the punctuation has wire type %d", num, typ)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return malformed("punctuation", n)
		}
		b = b[n:]
	}
	if !has {
		return invalid(Missing, "watermark is missing")
	}
	return nil
}

func malformed(what string, n int) *Invalid {
	return invalid(Malformed, "the %s is cut short or not Protobuf: %v", what, protowire.ParseError(n))
}
