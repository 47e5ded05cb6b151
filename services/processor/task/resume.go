package task

import (
	"errors"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// Without exactly once, offset, output and changelog are written one after the
// other, so after a death they differ by a part of a batch. The state is then
// what the changelog holds, and the input goes on where the offset says. Which
// input is taken in again by that, or left out, is told in the markers, before
// anything follows.

// resumption is the value of parallax.markers that tells of it.
type resumption struct {
	Kind      string `json:"kind"` // taken-again, skipped
	Guarantee string `json:"guarantee"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// Until is the end of the input that the state may hold already, or of the
	// input that is left out. Output may have been told of input beyond it.
	Until int64 `json:"until"`
	// Transaction is the number of the batch that is torn: rows, exclusions and dead
	// letters of it, and of no other, can be told twice.
	Transaction uint64 `json:"transaction"`
}

// resumeStates ends the loading of all states, and tells of what they go through.
func (l *Loop) resumeStates(partitions []int32, states []state) error {
	var told []any
	for i, p := range partitions {
		one, err := l.resumeState(p, &states[i])
		if err != nil {
			return err
		}
		if one != nil {
			told = append(told, one)
		}
	}
	if err := l.name(partitions, states); err != nil {
		return err
	}
	return l.tell(told)
}

// name writes the guarantee into each changelog that does not name it yet. From
// then on rows may be visible of which neither the state nor an offset tells.
func (l *Loop) name(partitions []int32, states []state) error {
	sender, err := l.config.Kafka.Sender(kafka.SenderConfig{Timeout: l.config.TransactionTimeout})
	if err != nil {
		return err
	}
	defer sender.Close()
	for i, p := range partitions {
		if states[i].named {
			continue
		}
		record := kafka.Records{Topics: []string{l.config.Topics.Changelog}, Partition: p}
		key, value := engine.Made(byte(l.config.Guarantee))
		record.Add(0, key, value)
		if err := sender.ProduceAll(&record); err != nil {
			return err
		}
	}
	return sender.Flush()
}

// resumeState ends the loading of one state. What no death explains is refused.
func (l *Loop) resumeState(p int32, s *state) (*resumption, error) {
	c, changelog := &s.committed, l.config.Topics.Changelog
	found, err := s.engine.Resume(engine.Where{Next: c.offset, Transaction: c.transaction, Watermark: c.known()})
	if err != nil {
		return nil, l.unloaded(p, err)
	}
	meta := found.Meta
	first := c.transaction == 0 && !s.named // nobody was here before
	least, most := int64(0), c.offset       // of the changelog's offset
	number := c.transaction                 // of its last transaction
	if l.config.Guarantee == AtLeastOnce {
		least, most = c.offset, max(c.offset, meta.Next)
		if !first {
			number++
		}
	}
	switch {
	case meta.Transaction > 0 && meta.TopicID != l.source.ID:
		return nil, l.recreated(p, meta.TopicID, meta.Next)
	case meta.Transaction > 0 && int(meta.Partitions) != l.source.Partitions:
		return nil, l.repartitioned(p, "when its state was made it had", int(meta.Partitions))
	case meta.Transaction > number:
		return nil, l.stop(p, nil, "if the group's offsets were deleted or have expired, "+startAnew,
			"the changelog %q holds transaction %d up to offset %d, but group %q has committed transaction %d up to offset %d",
			changelog, meta.Transaction, meta.Next, l.config.Group, c.transaction, c.offset)
	case meta.Next < least || meta.Next > most:
		return nil, l.stop(p, nil, oneOwner, "the changelog %q has come to offset %d in transaction %d, the committed offset is %d of transaction %d",
			changelog, meta.Next, meta.Transaction, c.offset, c.transaction)
	}
	told := &resumption{"taken-again", l.config.Guarantee.String(), p, c.offset, max(c.offset, found.Reach), c.transaction + 1}
	switch {
	case told.Until > c.offset:
		l.config.Log.Warn("input is taken in again that the state may hold already", "partition", p, "from", c.offset, "until", told.Until)
	case meta.Next < c.offset:
		told.Kind, told.Offset, told.Until, told.Transaction = "skipped", meta.Next, c.offset, c.transaction
		l.config.Log.Warn("input is lost: it is committed, and the state does not hold it", "partition", p, "from", meta.Next, "until", c.offset)
	case l.config.Guarantee == AtMostOnce || first:
		return nil, nil
	}
	return told, nil
}

// known is the watermark that stood at the position.
func (p *position) known() int64 {
	if p.transaction == 0 {
		return engine.NoWatermark
	}
	return p.watermark
}

// resume goes on from what is committed, as after a death: what of the open batch
// is in the log stays there.
func (t *task) resume() error {
	t.producer.Close()
	producer, err := t.loop.producer(t.partition)
	if err != nil {
		return err
	}
	t.producer = producer
	t.loop.config.Counters.edit(t.partition, func(n *Counts) { n.Recreated++; n.Aborts++ })
	restored, err := t.loop.restore([]int32{t.partition})
	if err != nil {
		return err
	}
	t.adopt(restored[0])
	return t.seek()
}

// regain goes on after the wait of lost, if the partition is still this member's.
func (t *task) regain() error {
	if _, err := prove(t.loop.consumer); err != nil {
		t.loop.config.Log.Debug("still not the owner", "partition", t.partition, "error", err)
		t.lost(time.Now())
		return nil // the news comes with a poll
	}
	t.retaken, t.fenced = time.Now(), time.Time{}
	return t.resume()
}

// prove returns the proof that a member still has its partitions, as far as it
// knows. For certain only the coordinator does.
func prove(c Consumer) (kafka.GroupMetadata, error) {
	if c.Lost() {
		return kafka.GroupMetadata{}, errNotOwner
	}
	member, err := c.Metadata()
	if err != nil {
		err = errors.Join(errNotOwner, err)
	}
	return member, err
}

// handOver commits the open batch before its partition goes: what it has told of
// cannot be taken back.
func (t *task) handOver() {
	t.engine.Flush(&t.out)
	member, err := t.complete()
	if err == nil {
		err = t.tryCommit(member)
	}
	if err != nil {
		t.loop.config.Log.Warn("the last batch was not committed; the next owner takes it in again", "partition", t.partition, "error", err)
		return
	}
	t.settled()
}
