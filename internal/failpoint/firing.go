package failpoint

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Firing is one failpoint that acted, or was about to when its process ended.
type Firing struct {
	Name   string
	Hit    uint64
	Action string // as in the entry: kill, delay=200ms
	Time   time.Time
	PID    int
}

// String is the line of the log: name, hit, action, time, process id.
func (f Firing) String() string {
	return fmt.Sprintf("%s %d %s %s %d", f.Name, f.Hit, f.Action, f.Time.UTC().Format(time.RFC3339Nano), f.PID)
}

// ReadLog reads the log of firings of one or more processes; none if there is no
// file yet.
func ReadLog(name string) ([]Firing, error) {
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the log of firings: %w", err)
	}
	var list []Firing
	for line := range strings.Lines(string(text)) {
		var f Firing
		var at string
		if _, err := fmt.Sscan(line, &f.Name, &f.Hit, &f.Action, &at, &f.PID); err != nil {
			return nil, fmt.Errorf("cannot read the log of firings %q: line %d, %q: %w", name, len(list)+1, strings.TrimSpace(line), err)
		}
		if f.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, fmt.Errorf("cannot read the log of firings %q: line %d: %w", name, len(list)+1, err)
		}
		list = append(list, f)
	}
	return list, nil
}
