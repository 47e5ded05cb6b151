package kafka

import "testing"

// What waits in the client is bounded over all partitions, whichever path the
// records take: only batches wait in a queue for each.
func TestFetchQueueIsOfAllPartitions(t *testing.T) {
	for _, c := range []struct {
		path              FetchPath
		queue, partitions int
		kbytes            int
	}{
		{FetchPoll, 16 << 20, 4, 16 << 10}, {FetchPoll, 0, 4, 64 << 10},
		{FetchBatch, 16 << 20, 4, 4 << 10}, {FetchBatch, 16 << 20, 0, 16 << 10}, {FetchBatch, 0, 4, 4 << 10},
		{FetchBatch, 1 << 20, 4096, 1},
	} {
		got := fetching{path: c.path, queue: c.queue, partitions: c.partitions}.settings()["queued.max.messages.kbytes"]
		if got != c.kbytes {
			t.Errorf("%+v: %v KiB for a queue", c, got)
		}
	}
}
