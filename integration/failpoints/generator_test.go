//go:build unix

package failpoints

import (
	"fmt"
	"testing"

	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
)

// Whatever kills the generator, its ledger knows of every message that may be in
// the log; started again it has sent each, and none more often than it says.
func TestGenerator(t *testing.T) {
	t.Parallel()
	f := func(point string, hit int, intents, known bool) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.start(fmt.Sprintf("%s=kill@%d", point, hit), l.generator("ledger")...).died()
			left := l.sent(false)
			if (left.Intents > 1) != intents || (left.OK > 1) != known || left.Unknown == 0 {
				t.Errorf("the ledger it left: %+v", left)
			}
			l.run(l.generator("ledger")...)
			info := l.sent(true)
			if info.OK != info.Intents || info.Intents < events || info.Torn > 0 {
				t.Errorf("the ledger of the second start: %+v", info)
			}
			if info.Resent != left.Intents-left.OK {
				t.Errorf("%d were sent again, %d were unknown", info.Resent, left.Intents-left.OK)
			}
		})
	}
	// The first group is one message; the second is the rest.
	f("generator/before-sync", 2, false, false)
	f("generator/synced", 2, true, false)
	f("generator/sent", 2, true, false)
	f("generator/settled", 1, true, true) // but the last outcomes wait in memory for the next sync
}

// sent holds the ledger against the log. whole demands that every message is
// there, where the ledger says.
func (l *lab) sent(whole bool) ledger.Info {
	l.t.Helper()
	copies, at := map[string]uint32{}, map[string]string{}
	l.read(l.topics.Events, func(b *kafka.Batch, i int) {
		value := string(b.Value(i))
		copies[value]++
		at[fmt.Sprintf("%d/%d", b.Partition, b.Offsets[i])] = value
	})
	most := map[string]uint32{}
	info, err := ledger.Walk(l.in("ledger"), func(in *ledger.Intent, o *ledger.Outcome) error {
		value := string(in.Value)
		most[value] += o.Resent + 1
		switch {
		case whole && copies[value] == 0:
			l.t.Errorf("message %d is not in the log", in.N)
		case o.Status == ledger.OK && o.Offset >= 0 && at[fmt.Sprintf("%d/%d", o.Partition, o.Offset)] != value:
			l.t.Errorf("message %d is not where the ledger says", in.N)
		}
		return nil
	})
	must(l.t, err)
	for value, n := range copies {
		if n > most[value] {
			l.t.Errorf("a message is in the log %d times, and the ledger knows of %d", n, most[value])
		}
	}
	return info
}
