package event

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"
)

// This file reads the usual JSON, eight bytes at a step: texts and numbers of
// real data differ in length from message to message, so a loop over bytes pays
// for a wrongly predicted branch at the end of most of them.

const (
	eachByte = 0x0101010101010101
	topBits  = 0x80 * eachByte
)

// members are the names with quotes and colon as AppendJSON writes them, as their
// first and their last eight bytes; of a shorter one both are the whole.
// byThird gives the name with a third letter, modulo 32: no two share it.
var members, byThird = func() (m [nFields]member, t [32]int) {
	for k, name := range fieldNames {
		b := []byte(`"` + name + `":`)
		m[k].size, m[k].lastAt = len(b), max(len(b)-8, 0)
		m[k].mask = math.MaxUint64 >> (64 - 8*min(len(b), 8))
		b = append(b, make([]byte, 8)...)
		m[k].first = binary.LittleEndian.Uint64(b) & m[k].mask
		m[k].last = binary.LittleEndian.Uint64(b[m[k].lastAt:]) & m[k].mask
		t[name[2]%32] = k
	}
	return m, t
}()

type member struct {
	mask, first, last uint64
	lastAt, size      int
}

// is reports whether the member is at i, where the first eight bytes are w.
func (m *member) is(w uint64, b []byte, i int) bool {
	return w&m.mask == m.first && word(b, i+m.lastAt)&m.mask == m.last
}

const (
	eventFields       = 1<<fProducer | 1<<fSeq | 1<<fKey | 1<<fSubject | 1<<fTime | 1<<fValue
	punctuationFields = 1<<fSender | 1<<fWatermark
)

// scanJSON reads the usual shape in one pass and without allocating: one flat
// object of texts without escapes and of numbers without exponent, in any order,
// with any spaces and with other fields of that kind; times as RFC 3339 or µs. It
// reports false for anything else, valid or not, and may leave parts of it in r;
// decodeJSON then decides.
func (r *Record) scanJSON(b []byte) bool {
	if len(b) < 8 { // word needs them
		return false
	}
	e, p := &r.Event, &r.Punctuation
	var has uint   // bits of the fields
	var all uint64 // bits of the texts and the unknown names
	i := space(b, 1)
	for usual := 0; ; usual++ { // the field that comes now, as a rule
		k, some, at := scanName(b, i, usual)
		if at < 0 {
			return false
		}
		all |= some
		switch k {
		case fProducer:
			e.Producer, some, i = scanString(b, at)
		case fSeq:
			e.Seq, i = scanUint(b, at)
		case fKey:
			e.Key, some, i = scanString(b, at)
		case fSubject:
			e.Subject, some, i = scanString(b, at)
		case fTime:
			e.Time, i = scanTime(b, at)
		case fValue:
			e.Value, i = scanInt(b, at)
		case fSender:
			p.Sender, some, i = scanString(b, at)
		case fWatermark:
			p.Watermark, i = scanTime(b, at)
		default:
			some, i = scanUnknown(b, at)
		}
		if i < 0 {
			return false
		}
		if k >= 0 {
			has |= 1 << k
			usual = k
		}
		all |= some
		if i = space(b, i); i == len(b) {
			return false
		}
		if b[i] == '}' {
			break
		}
		if b[i] != ',' {
			return false
		}
		i = space(b, i+1)
	}
	if space(b, i+1) != len(b) || all&topBits != 0 && !utf8.Valid(b) {
		return false
	}
	return r.scanned(has)
}

// scanned decides the kind by the fields that are there, if they are complete.
func (r *Record) scanned(has uint) bool {
	r.Event.HasID = has&(1<<fProducer) != 0
	hasSeq := has&(1<<fSeq) != 0
	const required = 1<<fTime | 1<<fValue
	switch {
	case has == punctuationFields:
		r.Kind = KindPunctuation
	case has&^eventFields == 0 && has&required == required && r.Event.HasID == hasSeq:
		r.Kind = KindEvent
	default:
		return false
	}
	return true
}

// word returns the eight bytes at i ≤ len(b), the first one lowest, with zeros for
// those after the end. No text, number or name goes on over a zero.
func word(b []byte, i int) uint64 {
	if end := len(b) - 8; i > end {
		return binary.LittleEndian.Uint64(b[end:]) >> (8 * uint(i-end))
	}
	return binary.LittleEndian.Uint64(b[i:])
}

// The scan functions read what begins at i ≤ len(b), and return the place after
// it, or -1 when it is not there in its usual form.

// scanName reads a name, its colon and the spaces after it. It returns the field,
// or -1 when the name is not known, with bits as of scanString.
func scanName(b []byte, i, usual int) (k int, bits uint64, next int) {
	w := word(b, i)
	if usual < nFields && members[usual].is(w, b, i) {
		return usual, 0, space(b, i+members[usual].size)
	}
	if k = byThird[w>>24%32]; members[k].is(w, b, i) {
		return k, 0, space(b, i+members[k].size)
	}
	name, bits, i := scanString(b, i)
	if i < 0 {
		return -1, 0, -1
	}
	if i = space(b, i); i == len(b) || b[i] != ':' {
		return -1, 0, -1
	}
	return fieldOf(name), bits, space(b, i+1)
}

// scanString reads a text without escapes. The top bits of bits are set where a
// byte of it is outside ASCII.
func scanString(b []byte, i int) (text []byte, bits uint64, next int) {
	if i == len(b) || b[i] != '"' {
		return nil, 0, -1
	}
	i++
	for start := i; ; i += 8 {
		w := word(b, i)
		n := firstSpecial(w)
		if n == 8 {
			bits |= w
			continue
		}
		if byte(w>>(8*n)) != '"' {
			return nil, 0, -1
		}
		return b[start : i+n], bits | w&(1<<(8*n)-1), i + n + 1
	}
}

// firstSpecial returns the place in w of its first quote, backslash or control
// character, or 8. The subtractions borrow only from above such a byte.
func firstSpecial(w uint64) int {
	quote, escape := w^'"'*eachByte, w^'\\'*eachByte
	found := (quote-eachByte)&^quote | (escape-eachByte)&^escape | (w-' '*eachByte)&^w
	return bits.TrailingZeros64(found&topBits) / 8
}

var powers = [9]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// scanUint reads a whole number of at most 19 digits, which always fit.
func scanUint(b []byte, i int) (n uint64, next int) {
	start := i
	for {
		digits, k := leadingDigits(word(b, i))
		n = n*powers[k] + digits
		if i += k; k < 8 {
			break
		}
	}
	if size := i - start; size == 0 || size > 19 || size > 1 && b[start] == '0' {
		return 0, -1
	}
	return n, i
}

// leadingDigits returns the number that the first digits of w make, and how many
// they are. It joins neighbours to numbers of two, four and eight digits.
func leadingDigits(w uint64) (n uint64, k int) {
	w -= '0' * eachByte
	k = bits.TrailingZeros64((w|(w+(128-10)*eachByte))&topBits) / 8
	w <<= 64 - 8*k // zeros before the first digit, nothing after the last
	const two = 0x000000ff000000ff
	w = w*10 + w>>8
	w = (w&two)*(100+1_000_000<<32) + (w>>16&two)*(1+10_000<<32)
	return w >> 32, k
}

func scanInt(b []byte, i int) (n int64, next int) {
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	u, next := scanUint(b, i)
	switch {
	case u <= math.MaxInt64 && !negative:
		return int64(u), next
	case u <= math.MaxInt64+1 && negative:
		return -int64(u), next
	}
	return 0, -1
}

// scanTime reads a time; digits finer than µs are cut off.
func scanTime(b []byte, i int) (t int64, next int) {
	if i < len(b) && b[i] == '"' {
		return scanRFC3339(b, i+1)
	}
	t, next = scanInt(b, i)
	if next < 0 || next == len(b) || b[next] != '.' {
		return t, next
	}
	end := skipDigits(b, next+1)
	if end == next+1 || b[i] == '-' {
		return 0, -1
	}
	return t, end
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// scanUnknown reads over the value of a field that this version does not know.
func scanUnknown(b []byte, i int) (bits uint64, next int) {
	if i < len(b) && b[i] == '"' {
		_, bits, next = scanString(b, i)
		return bits, next
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	end := skipDigits(b, i)
	if end == i || end > i+1 && b[i] == '0' {
		return 0, -1
	}
	if end < len(b) && b[end] == '.' {
		i = end + 1
		if end = skipDigits(b, i); end == i {
			return 0, -1
		}
	}
	return 0, end
}
