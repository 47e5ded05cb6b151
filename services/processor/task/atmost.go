package task

import "parallax.example/internal/kafka"

// atMostOnce commits the offset before anything of the batch is sent. The state
// follows the output here too: a window that closed in a batch that is lost is
// closed once more, without what is lost, and not missing altogether.
type atMostOnce struct{ outbox }

func (a *atMostOnce) ProduceAll(r *kafka.Records) error {
	a.take(r)
	return nil
}

// SendOffsets commits: from here on the batch is not taken in again.
func (a *atMostOnce) SendOffsets(_ string, positions []kafka.Committed, _ kafka.GroupMetadata) error {
	return a.consumer.Commit(positions, a.timeout)
}

// Commit sends the batch.
func (a *atMostOnce) Commit() error {
	if err := a.deliver(&a.output); err != nil {
		return err
	}
	a.order()
	return a.deliverState()
}
