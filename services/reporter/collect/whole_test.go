package collect

import (
	"errors"
	"strings"
	"testing"

	"parallax.example/internal/kafka"
	"parallax.example/services/reporter/compare"
)

// Exclusions that are gone would make healthy cells look unexplained.
func TestALostBeginningIsRefused(t *testing.T) {
	if err := whole("parallax.excluded", kafka.Offsets{Earliest: 0, High: 20}); err != nil {
		t.Error(err)
	}
	err := whole("parallax.excluded", kafka.Offsets{Partition: 3, Earliest: 10, High: 20})
	var refusal *compare.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, "partition 3 begins at offset 10") || refusal.Advice == "" {
		t.Errorf("%v", err)
	}
}
