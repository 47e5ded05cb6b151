package report

import (
	"fmt"
	"math"
	"time"
)

// Time is an instant in µs UTC since 1970; in JSON it is RFC 3339.
type Time int64

// Never is the watermark of a partition in which nothing is believed yet; in
// JSON it is "never".
const Never Time = math.MinInt64

const never = "never"

const layout = "2006-01-02T15:04:05.999999Z07:00"

func (t Time) String() string {
	if t == Never {
		return never
	}
	return time.UnixMicro(int64(t)).UTC().Format(layout)
}

// MarshalText writes RFC 3339.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads RFC 3339.
func (t *Time) UnmarshalText(b []byte) error {
	if string(b) == never {
		*t = Never
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("cannot read time %q: it is not RFC 3339", b)
	}
	*t = Time(v.UnixMicro())
	return nil
}
