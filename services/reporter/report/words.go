package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"parallax.example/internal/view"
)

// Length says a length of time in µs in words: "1 hour", "90 seconds".
func Length(us int64) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := us / int64(unit.size/time.Microsecond); n > 0 && us%int64(unit.size/time.Microsecond) == 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	if us == 0 {
		return "no time"
	}
	return time.Duration(us * int64(time.Microsecond)).String()
}

// Whole writes a whole number with commas between its thousands.
func Whole[T ~int | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	if n > 0 && int64(n) < 0 {
		s = strconv.FormatUint(uint64(n), 10)
	}
	start := 0
	if s[0] == '-' {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// WindowWords is how a sentence speaks of a window.
func WindowWords(w view.Window) string {
	length := Length(w.Size)
	switch {
	case w.Kind == view.Session:
		return "sessions with gaps of at least " + Length(w.Gap)
	case w.Kind == view.Hopping:
		return fmt.Sprintf("windows of %s, one beginning every %s", length, strings.TrimPrefix(Length(w.Hop), "1 "))
	case w.Size == int64(time.Hour/time.Microsecond):
		return "hourly windows"
	case w.Size == int64(24*time.Hour/time.Microsecond):
		return "daily windows"
	}
	return "windows of " + length
}
