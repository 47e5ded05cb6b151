package task

import (
	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// atLeastOnce sends output as it comes, and commits when all of it is in the log.
// The state follows the output, so that no row is missing of what the state has
// closed.
type atLeastOnce struct {
	outbox
	positions []kafka.Committed
}

func (a *atLeastOnce) ProduceAll(r *kafka.Records) error {
	if n := r.Len(); n == 0 || r.Entries[n-1].Topic != int32(engine.Changelog) {
		return a.sender.ProduceAll(r) // nothing of it has to wait
	}
	a.take(r)
	if err := a.sender.ProduceAll(&a.output); err != nil {
		return err
	}
	a.output.Reset()
	return nil
}

// SendOffsets brings all of the batch into the log; its offset follows in Commit.
func (a *atLeastOnce) SendOffsets(_ string, positions []kafka.Committed, _ kafka.GroupMetadata) error {
	a.positions = positions
	if err := a.sender.Flush(); err != nil {
		return err
	}
	key, value := engine.Reach(positions[0].Offset)
	a.ordered.Add(int(engine.Changelog), key, value)
	a.order()
	return a.deliverState()
}

func (a *atLeastOnce) Commit() error { return a.consumer.Commit(a.positions, a.timeout) }
