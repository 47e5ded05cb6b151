package reporter

import (
	"testing"

	"parallax.example/services/reporter/collect"
)

func TestLiveCountsEachMessageOnce(t *testing.T) {
	l := live(collect.Snapshot{
		Views:      []collect.ViewSnapshot{{Name: "hourly"}},
		Partitions: []collect.Progress{{Partition: 0, Committed: 90, End: 100}, {Partition: 1, Committed: -1, End: -1}},
	}, "minutes")
	if l.Totals.Generated != 100 || l.Partitions[0].Lag != 10 {
		t.Errorf("%+v", l)
	}
}
