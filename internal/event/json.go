package event

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendJSON appends e in the JSON form, event_time in µs, fields in the order
// of the documentation. Texts must be UTF-8, as Check demands.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, '{')
	if e.HasID {
		dst = append(dst, `"producer":`...)
		dst = appendString(dst, e.Producer)
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendUint(dst, e.Seq, 10)
		dst = append(dst, ',')
	}
	dst = append(dst, `"key":`...)
	dst = appendString(dst, e.Key)
	dst = append(dst, `,"subject":`...)
	dst = appendString(dst, e.Subject)
	dst = append(dst, `,"event_time":`...)
	dst = strconv.AppendInt(dst, e.Time, 10)
	dst = append(dst, `,"value":`...)
	dst = strconv.AppendInt(dst, e.Value, 10)
	return append(dst, '}')
}

// AppendPunctuationJSON appends p in the JSON form, watermark in µs.
func AppendPunctuationJSON(dst []byte, p *Punctuation) []byte {
	dst = append(dst, `{"sender":`...)
	dst = appendString(dst, p.Sender)
	dst = append(dst, `,"watermark":`...)
	dst = strconv.AppendInt(dst, p.Watermark, 10)
	return append(dst, '}')
}

func appendString(dst, s []byte) []byte {
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' {
			quoted, err := json.Marshal(string(s))
			if err != nil {
				panic("BUG: a string does not marshal: " + err.Error())
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// The known names, in the order of their bits in fields.has.
const (
	fProducer = iota
	fSeq
	fKey
	fSubject
	fTime
	fValue
	fSender
	fWatermark
	nFields
)

func fieldOf(name []byte) int {
	for k, known := range fieldNames {
		if string(name) == known { // does not allocate
			return k
		}
	}
	return -1
}

var fieldNames = [nFields]string{"producer", "seq", "key", "subject", "event_time", "value", "sender", "watermark"}

// fields holds the raw JSON value of each known name: a text with its quotes,
// or a number. Of a name given twice the last counts, as in encoding/json.
type fields struct {
	raw [nFields][]byte // nil: absent or null
}

// decodeJSON is the definition of the JSON form; scanJSON is its short way.
func (r *Record) decodeJSON(b []byte) *Invalid {
	if !utf8.Valid(b) { // encoding/json would silently replace such bytes
		return invalid(NotUTF8, "the message is not UTF-8")
	}
	var f fields
	if err := f.parse(b); err != nil {
		return err
	}
	isEvent := f.raw[fProducer] != nil || f.raw[fSeq] != nil || f.raw[fKey] != nil || f.raw[fSubject] != nil || f.raw[fTime] != nil || f.raw[fValue] != nil
	isPunctuation := f.raw[fSender] != nil || f.raw[fWatermark] != nil
	switch {
	case isEvent && isPunctuation:
		return invalid(Undecided, "fields of an event and of a punctuation in one message")
	case isPunctuation:
		r.Kind = KindPunctuation
		return f.punctuation(&r.Punctuation)
	default:
		r.Kind = KindEvent
		return f.event(&r.Event)
	}
}

func space(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// parse is the reference reading by encoding/json: exact names, the last of
// equal names counts, null is absent.
func (f *fields) parse(b []byte) *Invalid {
	dec := json.NewDecoder(bytes.NewReader(b))
	var m map[string]json.RawMessage
	if err := dec.Decode(&m); err != nil {
		return invalid(Malformed, "not a JSON object: %v", err)
	}
	if n := int(dec.InputOffset()); space(b, n) != len(b) {
		return invalid(Malformed, "something follows the JSON object at byte %d", n)
	}
	for k, name := range fieldNames {
		if v, ok := m[name]; ok && string(v) != "null" {
			f.raw[k] = v
		}
	}
	return nil
}

func (f *fields) event(e *Event) *Invalid {
	var err *Invalid
	if e.Producer, err = f.text(fProducer); err != nil {
		return err
	}
	if e.Key, err = f.text(fKey); err != nil {
		return err
	}
	if e.Subject, err = f.text(fSubject); err != nil {
		return err
	}
	if raw := f.raw[fSeq]; raw != nil {
		n, ok := parseUint(raw)
		if !ok {
			return invalid(OutOfRange, "seq %.40q is not a whole number from 0 to 2^64-1", raw)
		}
		e.Seq = n
	}
	if raw := f.raw[fTime]; raw != nil {
		if e.Time, err = f.time(fTime); err != nil {
			return err
		}
	}
	if raw := f.raw[fValue]; raw != nil {
		n, ok := parseInt(raw)
		if !ok {
			return invalid(OutOfRange, "value %.40q is not a whole number of 64 bits", raw)
		}
		e.Value = n
	}
	return e.present(f.raw[fProducer] != nil, f.raw[fSeq] != nil, f.raw[fTime] != nil, f.raw[fValue] != nil)
}

func (f *fields) punctuation(p *Punctuation) *Invalid {
	var err *Invalid
	if p.Sender, err = f.text(fSender); err != nil {
		return err
	}
	if f.raw[fWatermark] == nil {
		return invalid(Missing, "watermark is missing")
	}
	p.Watermark, err = f.time(fWatermark)
	return err
}

// text returns the content of a JSON text, copied only where it has escapes.
func (f *fields) text(k int) ([]byte, *Invalid) {
	raw := f.raw[k]
	if raw == nil {
		return nil, nil
	}
	if raw[0] != '"' {
		return nil, invalid(Malformed, "%s is not a text", fieldNames[k])
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	if halfSurrogate(raw) { // encoding/json would make one replacement character of all of them
		return nil, invalid(NotUTF8, "%s has an escape with half of a surrogate pair", fieldNames[k])
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, invalid(Malformed, "%s is not a text: %v", fieldNames[k], err)
	}
	return []byte(s), nil
}

// halfSurrogate reports whether a JSON text has a \u escape from D800 to DFFF
// that is no part of a pair, so stands for no character.
func halfSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // the escaped character, also a second backslash
		first, ok := unicodeEscape(raw, i-1)
		if !ok || !utf16.IsSurrogate(first) {
			continue
		}
		second, ok := unicodeEscape(raw, i+5)
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		i += 10
	}
	return false
}

// unicodeEscape reads the \uXXXX at i.
func unicodeEscape(raw []byte, i int) (rune, bool) {
	if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}

// time reads RFC 3339 or µs since 1970; finer digits are cut off.
func (f *fields) time(k int) (int64, *Invalid) {
	raw := f.raw[k]
	if raw[0] == '"' {
		content, err := f.text(k)
		if err != nil {
			return 0, err
		}
		var t time.Time
		if t.UnmarshalText(content) != nil {
			return 0, notTime(k, raw)
		}
		return t.UnixMicro(), nil
	}
	if n, ok := parseInt(raw); ok {
		return n, nil
	}
	whole, fraction, cut := bytes.Cut(raw, []byte("."))
	if cut && raw[0] == '-' { // cutting would round a time before 1970 up into the range
		return 0, invalid(OutOfRange, "%s %.40q is before 1970", fieldNames[k], raw)
	}
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, notTime(k, raw)
		}
	}
	n, ok := parseInt(whole)
	if !ok {
		return 0, notTime(k, raw)
	}
	return n, nil
}

func notTime(k int, raw []byte) *Invalid {
	return invalid(Malformed, "%s %.40q is neither RFC 3339 nor µs since 1970", fieldNames[k], raw)
}

func parseInt(raw []byte) (int64, bool) {
	neg := len(raw) > 0 && raw[0] == '-'
	if neg {
		raw = raw[1:]
	}
	n, ok := parseUint(raw)
	switch {
	case !ok:
		return 0, false
	case neg && n == 1<<63:
		return math.MinInt64, true
	case n > math.MaxInt64:
		return 0, false
	case neg:
		return -int64(n), true
	}
	return int64(n), true
}

func parseUint(raw []byte) (uint64, bool) {
	if len(raw) == 0 || len(raw) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range raw {
		d := uint64(c) - '0'                                      // huge below '0'
		if d > 9 || len(raw) == 20 && n > (math.MaxUint64-d)/10 { // 19 digits always fit
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
