package event

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sameJSON fails unless Decode gives the record or the refusal of the general
// way alone. It reports whether the quick reader took b.
func sameJSON(t interface{ Fatalf(string, ...any) }, b []byte) bool {
	var got, want, quick Record
	refusal := want.decodeJSON(b)
	if refusal == nil {
		refusal = want.check(false)
	}
	if err := got.Decode(b); refusal == nil {
		if err != nil || show(got) != show(want) {
			t.Fatalf("%q: got %s, %v; decodeJSON reads %s", b, show(got), err, show(want))
		}
	} else if err == nil || err.Error() != refusal.Error() || got.Kind != 0 {
		t.Fatalf("%q: got %s, %v; decodeJSON refuses: %v", b, show(got), err, refusal)
	}
	return quick.scanJSON(b)
}

// show prints nil and empty texts alike.
func show(r Record) string { return fmt.Sprintf("%+v", r) }

// FuzzScanJSON holds the quick reader of JSON against the general one.
func FuzzScanJSON(f *testing.F) {
	f.Add([]byte(`{"producer":"p","seq":1,"key":"a","subject":"","event_time":150.50,"value":-2}`))
	f.Add([]byte(`{"key" : "a" , "key":"b","x":0,"y":"é","event_time":"2001-02-03T04:05:06.5+01:00", "value":0}`))
	f.Add([]byte(`{"sender":"g","watermark":"2001-02-03T04:05:06Z"}`))
	f.Add([]byte(`{"seq":5,"x":null,"seq":null,"key":"a","event_time":1,"value":2}`)) // nothing of the quick attempt stays
	f.Add([]byte("{\"key\":\"a\",\"event_time\":1,\"value\":2,\"\x80\":3}"))          // a bug: an unknown name was not asked for UTF-8
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 && len(b) <= MaxMessage && b[0] == '{' {
			sameJSON(t, b)
		}
	})
}

// The usual shape in any order, with any spaces and unknown fields, is taken by
// the quick reader: a slow one would be right too, and not be noticed.
func TestScanJSONTakesTheUsual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.StringMatching(`[a-zA-Z0-9 _.é日-]{1,20}`)
		members := []string{
			fmt.Sprintf(`"key":"%s"`, plain.Draw(t, "key")),
			fmt.Sprintf(`"value":%d`, rapid.Int64().Draw(t, "value")),
			`"event_time":` + usualTime().Draw(t, "time"),
		}
		if rapid.Bool().Draw(t, "has id") {
			members = append(members, fmt.Sprintf(`"producer":"%s"`, plain.Draw(t, "producer")),
				fmt.Sprintf(`"seq":%d`, rapid.Uint64Max(9_999_999_999_999_999_999).Draw(t, "seq")))
		}
		if rapid.Bool().Draw(t, "has subject") {
			members = append(members, fmt.Sprintf(`"subject":"%s"`, plain.Draw(t, "subject")))
		}
		if rapid.Bool().Draw(t, "has other") {
			members = append(members, rapid.SampledFrom([]string{`"unit":"min"`, `"v":0`, `"sequel":-7.50`, `"":""`}).Draw(t, "other"))
		}
		if rapid.IntRange(0, 5).Draw(t, "punctuation") == 0 {
			members = []string{fmt.Sprintf(`"sender":"%s"`, plain.Draw(t, "sender")), `"watermark":` + usualTime().Draw(t, "watermark")}
		}
		text := "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
		if !sameJSON(t, []byte(spaced(t, text))) {
			t.Fatalf("%q is not taken by the quick reader", text)
		}
	})
}

// Each byte at each place of a text and of a number that end in one word or go
// on into the next.
func TestScanJSONBytes(t *testing.T) {
	for size := 1; size <= 10; size++ {
		for at := range size {
			for c := range 256 {
				some := []byte("1111111111"[:size])
				some[at] = byte(c)
				sameJSON(t, fmt.Appendf(nil, `{"key":"%s","event_time":8,"value":9}`, some))
				sameJSON(t, fmt.Appendf(nil, `{"key":"k","event_time":8,"value":%s}`, some))
			}
		}
	}
}

// Messages that are a little wrong, or right in an unusual way.
func TestScanJSONOfTheUnusual(t *testing.T) {
	value := rapid.OneOf(
		rapid.SampledFrom([]string{
			``, `null`, `true`, `[]`, `{"a":1}`, `""`, `"`, `"\u0061"`, `"\ud800"`, `"a\"b"`, "\"\x1f\"", "\"\xff\"", `"é"`, `"12345678"`, `"1234567"`,
			`0`, `-0`, `00`, `01`, `-`, `+1`, `1.`, `1.0`, `-0.5`, `.5`, `1e3`, `1E3`, `12345678`, `123456789`, `1234567:`, `1234567/`,
			`9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `-9223372036854775809`, `9999999999999999999`,
			`18446744073709551615`, `18446744073709551616`, `123456789012345678901234`,
			`"2001-02-29T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"1970-01-01T00:30:00+01:00"`, `"2001-02-03T04:05:60Z"`, `"2001-02-03T4:05:06Z"`,
			`"2001-02-03T04:05:06"`, `"2001-02-03T04:05:06,5Z"`, `"2001-02-03T04:05:06.Z"`, `"2001-02-03t04:05:06z"`, `"2001-02-03T04:05:06Z "`,
		}),
		usualTime(),
		rapid.StringMatching(`"[a-z\\"]{0,17}"?`),
		rapid.StringMatching(`-?[0-9]{1,21}(\.[0-9]{0,3})?`),
	)
	rapid.Check(t, func(t *rapid.T) {
		members := []string{`"producer":"p"`, `"seq":7`, `"key":"k"`, `"subject":""`, `"event_time":8`, `"value":9`}
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			name := rapid.SampledFrom([]string{"producer", "seq", "key", "subject", "event_time", "value", "sender", "watermark", "Key", "kez", "k\\u0065y"}).Draw(t, "name")
			member := fmt.Sprintf(`"%s":%s`, name, value.Draw(t, "value of "+name))
			if i := slices.IndexFunc(members, func(m string) bool { return strings.HasPrefix(m, `"`+name+`"`) }); i >= 0 && rapid.Bool().Draw(t, "instead") {
				members[i] = member
			} else {
				members = append(members, member)
			}
		}
		b := []byte(spaced(t, "{"+strings.Join(members, ",")+"}"))
		if rapid.IntRange(0, 5).Draw(t, "damage") == 0 {
			at := rapid.IntRange(1, len(b)-1).Draw(t, "at")
			b[at] = rapid.SampledFrom([]byte("\x00\t ,:{}\"\\0a\x80\xff")).Draw(t, "byte")
		}
		if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
			b = b[:rapid.IntRange(1, len(b)).Draw(t, "length")]
		}
		sameJSON(t, b)
	})
}

// usualTime draws a time within the limits, in one of its forms.
func usualTime() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		at := time.UnixMicro(rapid.Int64Range(100_000_000_000, EndTime-1).Draw(t, "µs"))
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			return fmt.Sprint(at.UnixMicro())
		case 1:
			return fmt.Sprint(at.UnixMicro()) + rapid.StringMatching(`\.[0-9]{1,5}`).Draw(t, "finer")
		case 2:
			zone := time.FixedZone("", 60*rapid.IntRange(-1439, 1439).Draw(t, "minutes east"))
			return at.In(zone).Format(`"2006-01-02T15:04:05.999999Z07:00"`)
		default:
			return at.UTC().Format(`"2006-01-02T15:04:05`) + rapid.StringMatching(`(\.[0-9]{1,12})?Z"`).Draw(t, "fraction")
		}
	})
}

// spaced puts spaces where JSON allows them; in texts with such marks it is damage,
// which only the unusual have.
func spaced(t *rapid.T, text string) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t\r "})
	for _, mark := range []string{"{", "}", ",", `":`} {
		text = strings.ReplaceAll(text, mark, mark+space.Draw(t, "space after "+mark))
	}
	return text
}

// Every day of the calendar up to the end of all times that RFC 3339 can say.
func TestScanRFC3339Days(t *testing.T) {
	for at := time.Unix(0, 0).UTC(); at.Year() < 10_000; at = at.Add(86_399 * time.Second) {
		text := at.Format(`2006-01-02T15:04:05Z"`)
		if got, next := scanRFC3339([]byte(text), 0); got != at.UnixMicro() || next != len(text) {
			t.Fatalf("%s: got %d µs and place %d, want %d µs", text, got, next, at.UnixMicro())
		}
	}
}

// Of all two digits for month, day, hour, minute and second, in leap years and
// others, those are taken that the library takes; of zones those up to 23:59 (the
// library takes 24:60 too, which is left to it).
func TestScanRFC3339Fields(t *testing.T) {
	for _, year := range []string{"1970", "2000", "2001", "2004", "2100", "9999"} {
		for n := range 10_000 {
			for _, shape := range []string{"%s-%02d-%02dT12:00:00Z", "%s-12-31T%02d:%02d:59Z", "%s-01-01T00:%02d:%02dZ", "%s-12-01T00:00:00+%02d:%02d"} {
				text := fmt.Sprintf(shape, year, n/100, n%100)
				at, err := time.Parse(time.RFC3339, text)
				want := err == nil && (strings.HasSuffix(shape, "Z") || n/100 < 24 && n%100 < 60)
				got, next := scanRFC3339([]byte(text+`"`), 0)
				if taken := next >= 0; taken != want || taken && got != at.UnixMicro() {
					t.Fatalf("%s: got %d µs, taken: %t; the library reads %v, %v", text, got, taken, at, err)
				}
			}
		}
	}
}
