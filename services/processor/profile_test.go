package processor

import (
	"testing"
	"time"

	"parallax.example/internal/view"
)

func TestPace(t *testing.T) {
	updates := &view.File{Views: []view.View{{FinalOnly: true}, {}}}
	final := &view.File{Views: []view.View{{FinalOnly: true}, {FinalOnly: true}}}
	const own = 7 * time.Millisecond
	for _, x := range []struct {
		name   string
		config Config
		views  *view.File
		every  time.Duration
		prompt bool
	}{
		{"the default", Config{}, updates, 100 * time.Millisecond, false},
		{"latency", Config{Profile: "latency"}, updates, 10 * time.Millisecond, true},
		{"latency, nobody waits for open windows", Config{Profile: "latency"}, final, 100 * time.Millisecond, true},
		{"latency, as it is asked", Config{Profile: "latency", CommitInterval: own}, final, own, true},
		{"throughput", Config{Profile: "throughput"}, final, 500 * time.Millisecond, false},
	} {
		if p := x.config.paceFor(x.views); p.CommitInterval != x.every || p.Prompt != x.prompt {
			t.Errorf("%s: %v, prompt %t; want %v, %t", x.name, p.CommitInterval, p.Prompt, x.every, x.prompt)
		}
	}
}
