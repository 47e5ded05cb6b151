package render

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"parallax.example/services/reporter/report"
)

// whole writes an integer with its thousands apart: "1,595,408".
func whole[T int | int32 | int64 | uint64](n T) string { return group(fmt.Sprint(n)) }

func group(digits string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(digits, "-"); negative {
		sign, digits = "−", rest
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// decimal writes v with a fixed number of digits after the point.
func decimal(v float64, digits int) string {
	before, after, _ := strings.Cut(strconv.FormatFloat(v, 'f', digits, 64), ".")
	if strings.Trim(before+after, "-0") == "" {
		before = strings.TrimPrefix(before, "-")
	}
	if after == "" {
		return group(before)
	}
	return group(before) + "." + after
}

// mean writes a mean for the eye: one digit after the point, more when it is small.
func mean(v float64) string {
	if a := math.Abs(v); a > 0 && a < 1 {
		return decimal(v, 3)
	}
	return decimal(v, 1)
}

func sum(f report.Figures) string {
	if f.WholeSum != "" {
		return group(f.WholeSum)
	}
	return whole(f.Sum)
}

// milliseconds writes a wall-clock length with its unit: "840 ms", "12.5 s".
func milliseconds(ms int64) string {
	switch a := max(ms, -ms); {
	case a < 1000:
		return whole(ms) + " ms"
	case a < 60_000:
		return decimal(float64(ms)/1000, 1) + " s"
	default:
		return length(ms * 1000)
	}
}

// length writes µs of event time: "1 h", "90 min", "2 d 3 h".
func length(us int64) string {
	if us < 0 {
		return "−" + length(-us)
	}
	var parts []string
	for _, u := range []struct {
		name string
		size int64 // µs
	}{{"d", 86_400_000_000}, {"h", 3_600_000_000}, {"min", 60_000_000}, {"s", 1_000_000}, {"ms", 1000}, {"µs", 1}} {
		if n := us / u.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			us -= n * u.size
		}
		if len(parts) == 2 {
			break
		}
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, " ")
}

// moment writes an event time to the minute, which is what a reader looks for.
func moment(t report.Time) string {
	return time.UnixMicro(int64(t)).UTC().Format("Mon 2 Jan 2006 15:04")
}

// span writes a window: "Mon 11 Jun 2001 14:00–15:00".
func span(start, end report.Time) string {
	a, b := time.UnixMicro(int64(start)).UTC(), time.UnixMicro(int64(end)).UTC()
	switch {
	case b.Sub(a)%time.Minute != 0:
		return start.String() + "–" + end.String()
	case a.YearDay() == b.YearDay() && a.Year() == b.Year(), b.Sub(a) < 24*time.Hour:
		return moment(start) + "–" + b.Format("15:04")
	default:
		return moment(start) + " – " + moment(end)
	}
}

func percent(part float64) string { return decimal(part*100, 1) + " %" }

// plain makes outside text harmless and visible on one line: what is no
// graphic character is written as Go writes it in a string.
func plain(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// width is how many columns a terminal gives to s: two for the wide
// characters of East Asia and for pictures, none for combining marks.
func width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && (r <= 0x115F || r >= 0x2E80 && r <= 0xA4CF || r >= 0xAC00 && r <= 0xD7A3 ||
			r >= 0xF900 && r <= 0xFAFF || r >= 0xFE30 && r <= 0xFE6F || r >= 0xFF00 && r <= 0xFF60 ||
			r >= 0xFFE0 && r <= 0xFFE6 || r >= 0x1F300 && r <= 0x1F64F || r >= 0x1F680 && r <= 0x1F6FF ||
			r >= 0x1F900 && r <= 0x1FAFF || r >= 0x20000 && r <= 0x3FFFD):
			n += 2
		default:
			n++
		}
	}
	return n
}

// cut shortens s to at most n columns, with a sign that it did.
func cut(s string, n int) string {
	if width(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used += width(string(r)); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// wrap breaks s into lines of at most n columns.
func wrap(s string, n int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(s) {
		if w := width(word); line != "" && used+1+w > n {
			lines = append(lines, line)
			line, used = word, w
		} else if line == "" {
			line, used = word, w
		} else {
			line, used = line+" "+word, used+1+w
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// noun is the data set's word for n of its events.
func noun(r *report.Report, n uint64) string {
	word := r.Run.Nouns
	if n == 1 {
		word = r.Run.Noun
	}
	if word == "" {
		word = "events"
	}
	return word
}

// open says how many cells were not compared.
func open(n int) string {
	if n == 1 {
		return "1 cell is still open at the cut: not compared, not wrong"
	}
	return whole(n) + " cells are still open at the cut: not compared, not wrong"
}

// title is what a report is about, before any figure but one.
func title(r *report.Report) string {
	if len(r.Views) == 0 {
		return "Nothing was compared"
	}
	s := &r.Views[0].Sides
	events := "The same " + whole(s.B.Count) + " " + plain(noun(r, s.B.Count))
	if s.Stream.Equal(s.B.Figures) {
		return events + ", one answer"
	}
	return events + ", two answers"
}

// sides are the four answers of a view under the names that readers see.
func sides(v *report.View) []namedSide {
	return []namedSide{
		{"truth", "truth", v.Sides.Truth},
		{"stream", "stream", v.Sides.Stream},
		{"A", "batch, by the stream's rule (A)", v.Sides.A},
		{"B", "batch, every event (B)", v.Sides.B},
	}
}

type namedSide struct {
	Short, Name string
	report.Side
}

// equation writes an identity with its figures: "116,493 = 116,490 + 3".
func equation(i report.Identity) string {
	var b strings.Builder
	b.WriteString(whole(i.Left.Value))
	if i.Holds {
		b.WriteString(" = ")
	} else {
		b.WriteString(" ≠ ")
	}
	for n, q := range i.Right {
		if n > 0 {
			b.WriteString(" + ")
		}
		b.WriteString(whole(q.Value))
	}
	return b.String()
}

// causes writes a cell's causes: "3 late (sum 412)".
func causes(list []report.CellCause) string {
	parts := make([]string, len(list))
	for i, c := range list {
		if parts[i] = c.Cause; c.Count > 0 {
			parts[i] = fmt.Sprintf("%s %s (sum %s)", whole(c.Count), c.Cause, sum(c.Figures))
		}
	}
	return strings.Join(parts, ", ")
}

// asks reports whether the view shows at least one of the aggregates.
func asks(v *report.View, aggregates ...string) bool {
	return slices.ContainsFunc(v.Aggregates, func(a string) bool { return slices.Contains(aggregates, a) })
}

func asksQuantiles(v *report.View) bool { return asks(v, "p50", "p95", "p99") }
func asksDistinct(v *report.View) bool  { return asks(v, "distinct") }

// quantiles are p50, p95 and p99 in words.
func quantiles(f report.Figures) []string {
	if f.Quantiles == nil {
		return []string{"–", "–", "–"}
	}
	return []string{whole(f.P50), whole(f.P95), whole(f.P99)}
}

func distinct(f report.Figures) string {
	if f.Distinct == nil {
		return "–"
	}
	return whole(*f.Distinct)
}

// compared is what the comparison of a view counts.
func compared(v *report.View) string {
	if v.Window.Kind == "session" {
		return "groups"
	}
	return "cells"
}

// published says which rows the stream gave out before the final ones.
func published(v *report.View) string {
	n := v.Stages
	if n == (report.Stages{}) {
		return ""
	}
	s := whole(n.Early+n.OnTime) + " rows were published before their windows were closed"
	if v.Window.Kind == "session" {
		s += "; " + whole(n.Retracted) + " were retracted, because their sessions became part of others"
	}
	return s
}

// partial says how many cells were left aside after a reset.
func partial(n int) string {
	return whole(n) + " began before the stream began to count the view anew: not compared"
}

// damaged says how many cells a stream without exactly once has wrong.
func damaged(n int) string {
	return whole(n) + " damaged: the stream counted events twice or not at all, or others than it should"
}
