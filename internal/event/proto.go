package event

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// First bytes of the Protobuf form: field 1 or 2 of Record, length-delimited.
const (
	tagEvent       = 1<<3 | byte(protowire.BytesType)
	tagPunctuation = 2<<3 | byte(protowire.BytesType)
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
