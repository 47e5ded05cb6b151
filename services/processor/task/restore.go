package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/services/processor/engine"
)

// state is what a partition starts from.
type state struct {
	committed position
	engine    *engine.Engine
	named     bool // the changelog names its guarantee
}

// restore brings back the state as of the committed offsets, in the order of
// partitions, or says why the two do not fit.
func (l *Loop) restore(partitions []int32) ([]state, error) {
	// 2. The committed offsets. Asking waits for transactions in flight.
	committed, err := l.committed(partitions)
	if err != nil {
		return nil, err
	}
	for {
		states, err := l.restoreAt(partitions, committed)
		var stop *Stop
		if !errors.As(err, &stop) {
			return states, err
		}
		now, moved, failed := l.moved(partitions, committed)
		if failed != nil {
			return nil, failed
		}
		if !moved {
			return nil, err
		}
		committed = now
	}
}

// moved says that positions which do not fit the changelog are no longer the
// committed ones. A member that took long may have lost its partitions, and their
// new owner gone on between the two readings: then nothing is wrong. An error says
// that it cannot be known.
func (l *Loop) moved(partitions []int32, committed []position) (now []position, moved bool, err error) {
	if failpoint.Mutant("processor/read-once") {
		return nil, false, nil
	}
	now, err = l.committed(partitions)
	return now, !slices.Equal(now, committed), err
}

// restoreAt brings back the state as of these positions.
func (l *Loop) restoreAt(partitions []int32, committed []position) ([]state, error) {
	states, err := l.load(partitions, slices.Clone(committed))
	if err != nil {
		return nil, err
	}
	if l.config.Guarantee != ExactlyOnce {
		return states, l.resumeStates(partitions, states)
	}
	for i, p := range partitions {
		if err := l.checkState(p, &states[i]); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// load reads the changelog to its end.
func (l *Loop) load(partitions []int32, committed []position) ([]state, error) {
	// 3. The input must be the one that the offsets belong to.
	if err := l.checkSource(partitions, committed); err != nil {
		return nil, err
	}
	states, err := l.readChangelog(partitions, committed)
	if err != nil {
		return nil, err
	}
	for i, p := range partitions {
		made := states[i].engine.Made()
		if states[i].named = made != 0; !states[i].named {
			continue
		}
		if err := l.checkGuarantee(p, Guarantee(made)); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// readChangelog makes an engine for each partition and loads it.
func (l *Loop) readChangelog(partitions []int32, committed []position) ([]state, error) {
	topics := l.config.Topics
	// 4. Only now the end of the changelog, open transactions and markers
	// included: markers reach the offsets and the changelog at different times,
	// so the last stable offset may still lie before what is committed.
	ends, err := l.admin.Offsets(l.ctx, topics.Changelog, partitions)
	if err != nil {
		return nil, err
	}
	// 5. and 6. Read it to that end.
	states := make([]state, len(partitions))
	ranges := make([]kafka.Range, len(partitions))
	index := make(map[int32]int, len(partitions))
	for i, p := range partitions {
		e := engine.New(l.config.Views, topics.Events, p)
		e.SetSource(l.source.ID, int32(l.source.Partitions))
		e.SetLimit(l.config.MaxKeys)
		e.SetSilent(l.config.Beside)
		e.SetFloor(l.floor)
		states[i] = state{committed: committed[i], engine: e}
		ranges[i] = kafka.Range{Topic: topics.Changelog, Partition: p, From: ends[i].Earliest, To: ends[i].High}
		if failpoint.Mutant("processor/stable-end") {
			ranges[i].To = ends[i].Stable
		}
		index[p] = i
	}
	err = l.config.Kafka.ReadTo(l.ctx, kafka.ReaderConfig{Keys: true}, ranges, l.config.RestoreStall, func(b *kafka.Batch) error {
		e := states[index[b.Partition]].engine
		for i := range b.Len() {
			if err := e.Load(b.Key(i), b.Value(i)); err != nil {
				return l.stop(b.Partition, err, "", "the changelog %q at offset %d: %v", b.Topic, b.Offsets[i], err)
			}
		}
		return l.probe(Restoring, b.Partition)
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}

// committed asks for the group's positions, in short pieces, so that the end
// of ctx is noticed.
func (l *Loop) committed(partitions []int32) ([]position, error) {
	// A transaction of someone else that commits offsets of these partitions is
	// settled by its timeout, for which coordinators look every ten seconds.
	deadline := time.Now().Add(l.config.TransactionTimeout + 15*time.Second)
	for {
		answer, err := l.consumer.Committed(partitions, time.Second)
		if err != nil {
			if !kafka.Transient(err) {
				return nil, err
			}
			if !time.Now().Before(deadline) {
				return nil, fmt.Errorf("%w; if it stays so while Kafka answers, a transaction that commits these offsets never ended: find it with kafka-transactions.sh find-hanging", err)
			}
			select { // some failures come at once
			case <-l.ctx.Done():
				return nil, context.Cause(l.ctx)
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		positions := make([]position, len(partitions))
		for i, c := range answer {
			if c.Offset < 0 {
				continue // nothing was ever committed: transaction 0 at offset 0
			}
			if positions[i], err = parsePosition(c.Offset, c.Metadata); err != nil {
				remedy := oneOwner
				if errors.Is(err, errOtherVersion) {
					remedy = tellVersion
				}
				return nil, l.stop(c.Partition, err, remedy, "group %q: %v", l.config.Group, err)
			}
		}
		return positions, nil
	}
}

// checkSource compares the input topic with what the commits say of it.
func (l *Loop) checkSource(partitions []int32, committed []position) error {
	source, err := l.admin.Topic(l.ctx, l.config.Topics.Events)
	if err != nil {
		return err
	}
	l.source = source
	for i, p := range partitions {
		if c := &committed[i]; c.transaction > 0 && c.topicID != source.ID {
			return l.recreated(p, c.topicID, c.offset)
		}
		if committed[i].transaction == 0 {
			continue // the changelog may know
		}
		if err := l.checkGuarantee(p, committed[i].guarantee); err != nil {
			return err
		}
	}
	changelog, err := l.admin.Topic(l.ctx, l.config.Topics.Changelog)
	if err != nil {
		return err
	}
	if changelog.Partitions != source.Partitions {
		return l.repartitioned(partitions[0], fmt.Sprintf("its changelog %q has", changelog.Name), changelog.Partitions)
	}
	ends, err := l.admin.Offsets(l.ctx, source.Name, partitions)
	if err != nil {
		return err
	}
	for i, p := range partitions {
		c := &committed[i]
		if l.config.Beside && c.transaction == 0 {
			c.offset = ends[i].Earliest // of what is retained
		}
		if ends[i].Earliest > c.offset {
			return l.stop(p, nil, "the records between are lost; "+startAnew, "its log starts at offset %d, but offset %d is needed next", ends[i].Earliest, c.offset)
		}
		if ends[i].High < c.offset {
			return l.stop(p, nil, "its end was lost; "+startAnew, "its log ends at offset %d, but offset %d is needed next", ends[i].High, c.offset)
		}
	}
	return nil
}

func (l *Loop) recreated(p int32, was string, offset int64) error {
	return l.stop(p, nil, startAnew, "the topic was deleted and made again: its id is %q, but it was processed up to offset %d as %q", l.source.ID, offset, was)
}

func (l *Loop) repartitioned(p int32, what string, had int) error {
	return l.stop(p, nil, startAnew, "the topic has %d partitions now, but %s %d: keys have moved between partitions", l.source.Partitions, what, had)
}

// checkState ends the loading, and compares what was restored with what is committed.
func (l *Loop) checkState(p int32, s *state) error {
	meta, err := s.engine.Loaded()
	if err != nil {
		return l.unloaded(p, err)
	}
	return l.checkMeta(p, &s.committed, meta)
}

// unloaded is the stop for a state that does not load.
func (l *Loop) unloaded(p int32, err error) error {
	if views := (*engine.ViewsError)(nil); errors.As(err, &views) {
		if l.worked {
			return l.stop(p, err, "start it again with the views file that this was done with",
				"its state was switched to other views, by a reset or rebuild, while this processor ran; nothing is lost")
		}
		return l.stop(p, err, "", "%v", err) // it says itself what to do
	}
	return l.stop(p, err, oneOwner, "%v", err)
}

func (l *Loop) checkMeta(p int32, c *position, meta engine.Meta) error {
	changelog := l.config.Topics.Changelog
	switch {
	// First, because whoever deletes a topic deletes its committed offsets too.
	case meta.Transaction > 0 && meta.TopicID != l.source.ID:
		return l.recreated(p, meta.TopicID, meta.Next)
	case c.transaction == 0 && meta.Transaction > 0:
		return l.stop(p, nil, "if the group's offsets were deleted or have expired, "+startAnew,
			"the changelog %q holds transaction %d up to offset %d, but group %q has committed nothing", changelog, meta.Transaction, meta.Next, l.config.Group)
	case c.transaction > 0 && meta.Transaction == 0:
		return l.stop(p, nil, "if the changelog was deleted, "+startAnew,
			"group %q has committed offset %d, but the changelog %q is empty", l.config.Group, c.offset, changelog)
	case meta.Transaction != c.transaction || c.transaction > 0 && meta.Next != c.offset:
		return l.stop(p, nil, oneOwner, "the changelog %q has come to offset %d in transaction %d, the committed offset is %d of transaction %d",
			changelog, meta.Next, meta.Transaction, c.offset, c.transaction)
	case meta.Transaction > 0 && int(meta.Partitions) != l.source.Partitions:
		return l.repartitioned(p, "when its state was made it had", int(meta.Partitions))
	}
	return nil
}

// overtaken looks whether the log is still the same and has what is needed next,
// after the input could not be read. What the client says then depends on what it
// was doing, and is no way out.
func (l *Loop) overtaken(cause error) error {
	var stop *Stop
	if errors.As(cause, &stop) || len(l.tasks) == 0 {
		return cause
	}
	partitions := slices.Sorted(maps.Keys(l.tasks))
	source, err := l.admin.Topic(l.ctx, l.config.Topics.Events)
	if err != nil {
		return cause
	}
	if was := l.source.ID; source.ID != was {
		l.source = source
		return l.recreated(partitions[0], was, l.tasks[partitions[0]].attempt.offset)
	}
	logs, err := l.admin.Offsets(l.ctx, l.config.Topics.Events, partitions)
	if err != nil {
		return cause
	}
	for i, p := range partitions {
		if next := l.tasks[p].attempt.offset; logs[i].Earliest > next {
			return l.stop(p, cause, "the records between are lost; "+startAnew, "its log starts at offset %d, but offset %d is needed next", logs[i].Earliest, next)
		}
	}
	return cause
}
