package failpoint

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

type action string

const (
	kill      action = "kill"
	stop      action = "stop"
	delay     action = "delay"
	fail      action = "fail"
	killAfter action = "kill-after"
)

// rule is one entry: what to do, and at which hits.
type rule struct {
	action action
	wait   time.Duration // of delay and kill-after

	hit   uint64 // this one
	on    bool   // and every later one
	every uint64 // instead: one in so many, drawn from seed; 0 is not drawn
	seed  uint64
}

// String is the action as it is written in an entry.
func (r *rule) String() string {
	if r.wait > 0 {
		return fmt.Sprintf("%s=%s", r.action, r.wait)
	}
	return string(r.action)
}

// parse reads the entries and returns everything that is wrong with them.
func parse(text string) (points map[string]*point, faults []string) {
	points = map[string]*point{}
	if text == "" {
		return points, nil
	}
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		name, rest, ok := strings.Cut(entry, "=")
		if !ok {
			faults = append(faults, fmt.Sprintf("%q is not NAME=ACTION, such as ingest/before-link=kill@2", entry))
			continue
		}
		if !known(Points, name) {
			faults = append(faults, fmt.Sprintf("there is no failpoint %q; \"parallax failpoints\" lists them", name))
		}
		r, err := parseRule(rest)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%q: %v", entry, err))
			continue
		}
		if points[name] == nil {
			points[name] = &point{}
		}
		points[name].rules = append(points[name].rules, r)
	}
	return points, faults
}

func parseRule(text string) (rule, error) {
	what, hits, given := strings.Cut(text, "@")
	r := rule{hit: 1}
	if given {
		if err := r.parseHits(hits); err != nil {
			return r, err
		}
	}
	name, wait, timed := strings.Cut(what, "=")
	r.action = action(name)
	switch r.action {
	case kill, fail:
	case stop:
		if !canPause {
			return r, fmt.Errorf("a process cannot stop itself on this system")
		}
	case delay, killAfter:
		d, err := time.ParseDuration(wait)
		if err != nil || d <= 0 {
			return r, fmt.Errorf("%s needs a time above 0, such as %s=200ms, not %q", name, name, wait)
		}
		r.wait = d
		return r, nil
	default:
		return r, fmt.Errorf("there is no action %q; there are kill, stop, delay=D, fail and kill-after=D", name)
	}
	if timed {
		return r, fmt.Errorf("%s takes no time", name)
	}
	return r, nil
}

func (r *rule) parseHits(text string) (err error) {
	bad := fmt.Errorf("the hits %q are none of N, N+ and 1/N:SEED, with N from 1", text)
	if odds, drawn := strings.CutPrefix(text, "1/"); drawn {
		every, seed, _ := strings.Cut(odds, ":")
		if r.every, err = strconv.ParseUint(every, 10, 64); err != nil || r.every == 0 {
			return bad
		}
		if r.seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return bad
		}
		return nil
	}
	text, r.on = strings.CutSuffix(text, "+")
	if r.hit, err = strconv.ParseUint(text, 10, 64); err != nil || r.hit == 0 {
		return bad
	}
	return nil
}
