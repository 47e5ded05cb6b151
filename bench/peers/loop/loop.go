// Package loop is what the plain Go loops do between two calls of their Kafka
// client: read an event, fold it into its cell, write the changed cells, forget
// the closed ones.
//
// It is what a person writes in an afternoon, and is trusted for that only: no
// deduplication, no account of late events, no state that outlives the process.
package loop

import (
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"time"
)

// Options is the command line that every engine of the comparison takes.
type Options struct {
	Brokers, Input, Output, Group string
	Window, Lateness              int64 // µs
	Commit                        time.Duration
	Scan                          bool // read the fixed shape by hand, not by encoding/json
}

// Parse reads the command line; what only other engines need is accepted and unused.
func Parse() Options {
	var o Options
	flag.StringVar(&o.Brokers, "brokers", "", "")
	flag.StringVar(&o.Input, "input", "", "topic of events")
	flag.StringVar(&o.Output, "output", "", "topic of results")
	flag.StringVar(&o.Group, "group", "", "consumer group and transactional id")
	window := flag.Int64("window-ms", 3_600_000, "")
	lateness := flag.Int64("lateness-ms", 3_600_000, "")
	commit := flag.Int64("commit-ms", 100, "")
	flag.BoolVar(&o.Scan, "scan", false, "read the usual shape by hand")
	flag.String("state", "", "unused")
	flag.Bool("final", false, "unused")
	flag.Parse()
	o.Window, o.Lateness, o.Commit = *window*1000, *lateness*1000, time.Duration(*commit)*time.Millisecond
	return o
}

// Event is what the loop needs of a message; no key means a punctuation.
type Event struct {
	Key   string `json:"key"`
	Time  int64  `json:"event_time"` // µs
	Value int64  `json:"value"`
}

type place struct {
	key   string
	start int64
}

type cell struct {
	count         uint64
	sum, min, max int64
	changed       bool
}

// State is that of one partition.
type State struct {
	options Options
	keys    map[string]string // one copy of each key
	cells   map[place]*cell
	changed []place
	max     int64 // the largest event time
	swept   int64 // up to where closed cells are gone
	buf     []byte
}

// New is the state before the first event.
func New(o Options) *State {
	return &State{options: o, keys: map[string]string{}, cells: map[place]*cell{}}
}

// Add folds a message.
func (s *State) Add(message []byte) error {
	var e Event
	if s.options.Scan {
		key, time, value := scan(message)
		if key == nil {
			return nil
		}
		known, ok := s.keys[string(key)]
		if !ok {
			known = string(key)
			s.keys[known] = known
		}
		e = Event{known, time, value}
	} else if err := json.Unmarshal(message, &e); err != nil {
		return fmt.Errorf("cannot read %.200q: %w", message, err)
	}
	if e.Key == "" {
		return nil
	}
	s.max = max(s.max, e.Time)
	p := place{e.Key, e.Time - e.Time%s.options.Window}
	if p.start+s.options.Window+s.options.Lateness <= s.max {
		return nil // late
	}
	c := s.cells[p]
	if c == nil {
		c = &cell{min: e.Value, max: e.Value}
		s.cells[p] = c
	}
	c.count++
	c.sum += e.Value
	c.min, c.max = min(c.min, e.Value), max(c.max, e.Value)
	if !c.changed {
		c.changed = true
		s.changed = append(s.changed, p)
	}
	return nil
}

// Flush hands over the rows of the cells that changed since the last call; row
// is valid during the call. Then it forgets the cells of closed windows.
func (s *State) Flush(emit func(key string, row []byte) error) error {
	for _, p := range s.changed {
		c := s.cells[p]
		c.changed = false
		s.buf = c.append(s.buf[:0], p)
		if err := emit(p.key, s.buf); err != nil {
			return err
		}
	}
	s.changed = s.changed[:0]
	if closed := s.max - s.options.Lateness - s.options.Window; closed-s.swept >= s.options.Window {
		for p := range s.cells {
			if p.start <= closed {
				delete(s.cells, p)
			}
		}
		s.swept = closed
	}
	return nil
}

func (c *cell) append(b []byte, p place) []byte {
	b = append(append(append(b, `{"key":"`...), p.key...), `","start":`...)
	b = strconv.AppendInt(b, p.start, 10)
	b = strconv.AppendUint(append(b, `,"count":`...), c.count, 10)
	b = strconv.AppendInt(append(b, `,"sum":`...), c.sum, 10)
	b = strconv.AppendInt(append(b, `,"min":`...), c.min, 10)
	b = strconv.AppendInt(append(b, `,"max":`...), c.max, 10)
	return append(b, '}')
}

// scan reads the shape which the generator writes.
func scan(b []byte) (key []byte, time, value int64) {
	for i := 1; i < len(b) && b[i] == '"'; i++ {
		name := i + 1
		for i = name; b[i] != '"'; i++ {
		}
		field := b[name:i]
		if i += 2; b[i] == '"' {
			from := i + 1
			for i = from; b[i] != '"'; i++ {
			}
			if string(field) == "key" {
				key = b[from:i]
			}
			i++
			continue
		}
		negative := b[i] == '-'
		if negative {
			i++
		}
		var v int64
		for ; b[i] >= '0' && b[i] <= '9'; i++ {
			v = v*10 + int64(b[i]-'0')
		}
		if negative {
			v = -v
		}
		switch string(field) {
		case "event_time":
			time = v
		case "value":
			value = v
		}
	}
	return key, time, value
}
