package result

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"parallax.example/internal/view"
)

// Version of the three messages. A reader that meets another one stops.
const Version = 1

// MaxRaw bounds the bytes that a dead letter keeps of its message.
const MaxRaw = 4096

// Stage says how a row came about.
type Stage uint8

// The stages, as in result.proto.
const (
	Early     Stage = 1 // the window has not ended by the watermark
	OnTime    Stage = 2 // it has ended, and still takes late events
	Final     Stage = 4 // it is closed
	Retracted Stage = 5 // the cell is gone: its session became part of another one
)

var stageNames = [...]string{1: "early", 2: "on-time", 4: "final", 5: "retracted"}

func (s Stage) known() bool { return int(s) < len(stageNames) && stageNames[s] != "" }

func (s Stage) String() string {
	if s.known() {
		return stageNames[s]
	}
	return fmt.Sprintf("Stage(%d)", uint8(s))
}

// Cause says why a valid event, or a placement, was not counted.
type Cause uint8

// The causes, as in result.proto.
const (
	Late Cause = iota + 1
	Duplicate
	Stale
)

var causeNames = [...]string{"unspecified", "late", "duplicate", "stale"}

func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return fmt.Sprintf("Cause(%d)", uint8(c))
}

// Place says where in the input, and in which transaction, a record came about.
type Place struct {
	Partition   int32
	Offset      int64  // of the input record that caused this one
	Scheduled   int64  // that record's Kafka timestamp, ms since 1970
	Transaction uint64 // counts a partition's transactions from 1
	Ordinal     uint32 // counts the records of the transaction from 0
}

// Result is one message of parallax.results. View and Key alias the decoded bytes.
type Result struct {
	Place     Place
	View      []byte // view.View.ID
	Stage     Stage
	Watermark int64 // µs UTC
	Span      view.Span
	Key       []byte
	Agg       Agg
}

// Cell returns the cell that the result speaks of.
func (r *Result) Cell() Cell {
	return Cell{View: string(r.View), Key: string(r.Key), Span: r.Span, Partition: r.Place.Partition}
}

// Exclusion is one message of parallax.excluded. View and Event alias the decoded bytes.
type Exclusion struct {
	Place     Place
	Cause     Cause
	View      []byte    // of a late placement
	Span      view.Span // of a late placement
	Watermark int64     // at the decision, µs UTC
	Event     []byte    // the message as it was received
}

// DeadLetter is one message of parallax.dead-letters. Raw aliases the decoded bytes.
type DeadLetter struct {
	Place  Place
	Topic  string
	Reason string
	Detail string
	Raw    []byte // the first MaxRaw bytes
	Size   uint64 // of the whole message
}

const rowFixed = 7 * 9 // seven fields of one tag byte and eight bytes

func rowSize(key []byte, a *Agg) int {
	size := rowFixed + 1 + protowire.SizeBytes(len(key))
	for _, s := range [...]string{a.Quantiles, a.Distinct} {
		if s != "" {
			size += 1 + protowire.SizeBytes(len(s))
		}
	}
	return size
}

// AppendRow appends the canonical form of a row. Sketches stand in it only where
// the view asks for them.
func AppendRow(dst []byte, span view.Span, key []byte, a *Agg) []byte {
	dst = fixed(dst, 1, uint64(span.Start))
	dst = fixed(dst, 2, uint64(span.End))
	dst = bytesField(dst, 3, key)
	dst = fixed(dst, 4, a.Count)
	dst = fixed(dst, 5, uint64(a.SumHigh))
	dst = fixed(dst, 6, a.SumLow)
	dst = fixed(dst, 7, uint64(a.Min))
	dst = fixed(dst, 8, uint64(a.Max))
	if a.Quantiles != "" {
		dst = protowire.AppendString(append(dst, 9<<3|byte(protowire.BytesType)), a.Quantiles)
	}
	if a.Distinct != "" {
		dst = protowire.AppendString(append(dst, 10<<3|byte(protowire.BytesType)), a.Distinct)
	}
	return dst
}

// AppendKey appends the key of parallax.results: view, key, window start, partition.
func AppendKey(dst, viewID, key []byte, start int64, partition int32) []byte {
	dst = bytesField(dst, 1, viewID)
	dst = bytesField(dst, 2, key)
	dst = fixed(dst, 3, uint64(start))
	return varint(dst, 4, uint64(uint32(partition)))
}

// Append appends r's message.
func (r *Result) Append(dst []byte) []byte {
	dst = varint(dst, 1, Version)
	dst = r.Place.append(dst, 2)
	dst = bytesField(dst, 3, r.View)
	dst = varint(dst, 4, uint64(r.Stage))
	dst = varint(dst, 6, protowire.EncodeZigZag(r.Watermark))
	dst = append(dst, 7<<3|byte(protowire.BytesType))
	dst = protowire.AppendVarint(dst, uint64(rowSize(r.Key, &r.Agg)))
	return AppendRow(dst, r.Span, r.Key, &r.Agg)
}

// Append appends x's message.
func (x *Exclusion) Append(dst []byte) []byte {
	dst = varint(dst, 1, Version)
	dst = x.Place.append(dst, 2)
	dst = varint(dst, 3, uint64(x.Cause))
	dst = bytesField(dst, 4, x.View)
	dst = fixed(dst, 5, uint64(x.Span.Start))
	dst = fixed(dst, 6, uint64(x.Span.End))
	dst = varint(dst, 7, protowire.EncodeZigZag(x.Watermark))
	return bytesField(dst, 8, x.Event)
}

// Append appends d's message; of Raw at most MaxRaw bytes.
func (d *DeadLetter) Append(dst []byte) []byte {
	dst = varint(dst, 1, Version)
	dst = d.Place.append(dst, 2)
	dst = bytesField(dst, 3, []byte(d.Topic))
	dst = bytesField(dst, 4, []byte(d.Reason))
	dst = bytesField(dst, 5, []byte(d.Detail))
	dst = bytesField(dst, 6, d.Raw[:min(len(d.Raw), MaxRaw)])
	return varint(dst, 7, d.Size)
}

func (p *Place) append(dst []byte, num byte) []byte {
	partition, offset := uint64(uint32(p.Partition)), uint64(p.Offset)
	scheduled := protowire.EncodeZigZag(p.Scheduled)
	size := 5 + protowire.SizeVarint(partition) + protowire.SizeVarint(offset) + protowire.SizeVarint(scheduled) +
		protowire.SizeVarint(p.Transaction) + protowire.SizeVarint(uint64(p.Ordinal))
	dst = append(dst, num<<3|byte(protowire.BytesType))
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = varint(dst, 1, partition)
	dst = varint(dst, 2, offset)
	dst = varint(dst, 3, scheduled)
	dst = varint(dst, 4, p.Transaction)
	return varint(dst, 5, uint64(p.Ordinal))
}

// All our fields have a number below 16, so a tag is one byte.

func varint(dst []byte, num byte, v uint64) []byte {
	return protowire.AppendVarint(append(dst, num<<3|byte(protowire.VarintType)), v)
}

func fixed(dst []byte, num byte, v uint64) []byte {
	return protowire.AppendFixed64(append(dst, num<<3|byte(protowire.Fixed64Type)), v)
}

func bytesField(dst []byte, num byte, b []byte) []byte {
	return protowire.AppendBytes(append(dst, num<<3|byte(protowire.BytesType)), b)
}

// ErrVersion is wrapped by the error for a message of another version.
var ErrVersion = errors.New("unknown version")

// Decode reads a message of parallax.results; r aliases b.
func (r *Result) Decode(b []byte) error {
	*r = Result{}
	var version uint64
	err := fields(b, resultTypes, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			version = v
		case 2:
			return r.Place.decode(body)
		case 3:
			r.View = body
		case 4:
			r.Stage = Stage(min(v, 255))
		case 6:
			r.Watermark = protowire.DecodeZigZag(v)
		case 7:
			return r.decodeRow(body)
		}
		return nil
	})
	switch {
	case err != nil:
	case !r.Stage.known():
		err = fmt.Errorf("stage %d is not known", r.Stage)
	case r.Stage == Retracted && r.Agg != Agg{}:
		err = errors.New("a retracted row counts events")
	case r.Stage != Retracted && r.Agg.Count == 0:
		err = errors.New("the row counts no event")
	default:
		err = r.Agg.checkSketches()
	}
	return check("result", version, err)
}

func (r *Result) decodeRow(b []byte) error {
	return fields(b, rowTypes, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			r.Span.Start = int64(v)
		case 2:
			r.Span.End = int64(v)
		case 3:
			r.Key = body
		case 4:
			r.Agg.Count = v
		case 5:
			r.Agg.SumHigh = int64(v)
		case 6:
			r.Agg.SumLow = v
		case 7:
			r.Agg.Min = int64(v)
		case 8:
			r.Agg.Max = int64(v)
		case 9:
			r.Agg.Quantiles = string(body)
		case 10:
			r.Agg.Distinct = string(body)
		}
		return nil
	})
}

// Decode reads a message of parallax.excluded; x aliases b.
func (x *Exclusion) Decode(b []byte) error {
	*x = Exclusion{}
	var version uint64
	err := fields(b, exclusionTypes, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			version = v
		case 2:
			return x.Place.decode(body)
		case 3:
			x.Cause = Cause(min(v, 255))
		case 4:
			x.View = body
		case 5:
			x.Span.Start = int64(v)
		case 6:
			x.Span.End = int64(v)
		case 7:
			x.Watermark = protowire.DecodeZigZag(v)
		case 8:
			x.Event = body
		}
		return nil
	})
	if err == nil && (x.Cause < Late || x.Cause > Stale) {
		err = fmt.Errorf("cause %d is not known", x.Cause)
	}
	return check("exclusion", version, err)
}

// Decode reads a message of parallax.dead-letters; d.Raw aliases b.
func (d *DeadLetter) Decode(b []byte) error {
	*d = DeadLetter{}
	var version uint64
	err := fields(b, deadLetterTypes, func(num protowire.Number, v uint64, body []byte) error {
		switch num {
		case 1:
			version = v
		case 2:
			return d.Place.decode(body)
		case 3:
			d.Topic = string(body)
		case 4:
			d.Reason = string(body)
		case 5:
			d.Detail = string(body)
		case 6:
			d.Raw = body
		case 7:
			d.Size = v
		}
		return nil
	})
	return check("dead letter", version, err)
}

func (p *Place) decode(b []byte) error {
	return fields(b, placeTypes, func(num protowire.Number, v uint64, _ []byte) error {
		switch num {
		case 1:
			p.Partition = int32(uint32(v))
		case 2:
			p.Offset = int64(v)
		case 3:
			p.Scheduled = protowire.DecodeZigZag(v)
		case 4:
			p.Transaction = v
		case 5:
			p.Ordinal = uint32(v)
		}
		return nil
	})
}

func check(what string, version uint64, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("cannot decode %s: %w", what, err)
	case version != Version:
		return fmt.Errorf("cannot decode %s: %w %d, this program reads version %d", what, ErrVersion, version, Version)
	}
	return nil
}

// The wire type of each field by its number: v varint, f fixed64, b bytes.
const (
	resultTypes     = "vbbvvvb"
	rowTypes        = "ffbfffffbb"
	placeTypes      = "vvvvv"
	exclusionTypes  = "vbvbffvb"
	deadLetterTypes = "vbbbbbv"
)

// fields walks a message. Fields beyond the known ones are skipped (a newer
// writer of the same version); a known one of another wire type is an error.
func fields(b []byte, types string, visit func(num protowire.Number, v uint64, body []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if int(num) > len(types) {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		var v uint64
		var body []byte
		want := types[num-1]
		switch {
		case want == 'v' && typ == protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case want == 'f' && typ == protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case want == 'b' && typ == protowire.BytesType:
			body, n = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("field %d has wire type %d", num, typ)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := visit(num, v, body); err != nil {
			return err
		}
	}
	return nil
}
