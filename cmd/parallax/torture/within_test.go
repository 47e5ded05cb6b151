package torture

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A run that is stuck is told of, and where, and does not keep the others.
func TestHangs(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	_, err := within(t.Context(), time.Millisecond, time.Millisecond, func(context.Context) Outcome {
		<-forever
		return Outcome{}
	})
	if err == nil || !strings.Contains(err.Error(), "hangs: it did not end within 1ms") {
		t.Fatalf("err = %v", err)
	}
	path := filepath.Join(t.TempDir(), "stacks")
	if err := stacks(path); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "torture.TestHangs.func") {
		t.Errorf("the stacks are %q, %v", b, err)
	}
}

// One that heeds its context tells by itself what it waited for.
func TestSlow(t *testing.T) {
	o, err := within(t.Context(), time.Millisecond, time.Minute, func(ctx context.Context) Outcome {
		<-ctx.Done()
		return Outcome{Violations: []string{context.Cause(ctx).Error()}}
	})
	if err != nil || len(o.Violations) != 1 || o.Violations[0] != "it did not end within 1ms" {
		t.Errorf("%+v, %v", o, err)
	}
}
