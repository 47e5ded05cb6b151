package processor_test

import (
	"errors"
	"strings"
	"testing"

	"parallax.example/internal/config"
	"parallax.example/services/processor"
	"parallax.example/services/processor/task"
)

// The flag reaches the loop: a state names the guarantee that it was made with.
func TestGuarantee(t *testing.T) {
	for _, guarantee := range []string{"", "exactly-once", "at-least-once", "at-most-once"} {
		t.Run("made with "+guarantee, func(t *testing.T) {
			c := setUp(t)
			c.Guarantee = guarantee
			fill(t, c.Brokers, 400)
			p, err := processor.New(c, processor.Deps{})
			if err != nil {
				t.Fatal(err)
			}
			process(t, p, 400, func() {})
			made := guarantee
			if made == "" {
				made = "exactly-once"
			}
			c.Guarantee = "at-least-once"
			if made == c.Guarantee {
				c.Guarantee = "exactly-once"
			}
			if p, err = processor.New(c, processor.Deps{}); err != nil {
				t.Fatal(err)
			}
			var stop *task.Stop
			if err := p.Run(t.Context()); !errors.As(err, &stop) || !strings.Contains(err.Error(), "its state was made with --guarantee "+made+", and goes on under no other") {
				t.Errorf("%s after %s ended with: %v", c.Guarantee, made, err)
			}
		})
	}
}

func TestGuaranteeFlag(t *testing.T) {
	for _, c := range []struct{ arg, want, wrong string }{
		{"", "exactly-once", ""},
		{"--guarantee=at-most-once", "at-most-once", ""},
		{"--guarantee=mostly-once", "", "at-least-once"},
	} {
		var got processor.Config
		args := []string{c.arg}
		if c.arg == "" {
			args = nil
		}
		_, err := config.Parse(args, &got, config.Options{Name: "processor"})
		if c.wrong == "" && (err != nil || got.Guarantee != c.want) || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%q: %q, %v", c.arg, got.Guarantee, err)
		}
	}
	broken := setUp(t)
	broken.Guarantee = "mostly-once"
	if faults := broken.Validate(); len(faults) != 1 || !strings.Contains(faults[0].Error(), `"mostly-once"`) {
		t.Errorf("a program that sets it wrongly: %v", faults)
	}
}
