package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/result"
	"parallax.example/services/processor/engine"
)

// change moves the state of a group to other views. Each partition is moved in
// one transaction of its own, which holds the changelog, the offset as it was
// and the markers. So a partition has been moved or it has not, its changelog
// says which, and whoever was interrupted runs the same again.
//
// The transaction is fenced in both ways in which those of the loop are: by the
// partition's transactional id, which is taken from whoever had it, and by the
// proof of membership in the group.
type change struct {
	loop  *Loop    // of the group, with the new views; its tasks are not used
	views []string // the names of those that may change
	kind  string   // of the marker

	joined bool
	share  []int32 // what the group gave to this member; it is not processed

	// rebuilt gives the engine with the views that the state lacks, at offset next;
	// without it, or if it gives nil, they begin empty.
	rebuilt func(partition int32, next int64) (*engine.Engine, error)
}

// Reset makes the named views of c.Views begin anew, empty, with the next record
// of each partition; named views that c.Views lacks are dropped. No processor of
// the group may run. Interrupted, it is to be run again.
func Reset(ctx context.Context, c Config, names []string) (err error) {
	l := New(c)
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.connect(ctx); err != nil {
		return err
	}
	ch := &change{loop: l, views: names, kind: "view-reset"}
	if err := ch.join(); err != nil {
		return err
	}
	if err := ch.alone(); err != nil {
		return err
	}
	if err := ch.afterRows(); err != nil {
		return err
	}
	moved := 0
	for p := range int32(l.source.Partitions) {
		did, err := ch.move(p)
		if err != nil {
			return err
		}
		if did {
			moved++
		}
	}
	if moved == 0 {
		return ch.unchanged()
	}
	c.Log.Info("views begin anew", "views", names, "partitions", moved)
	return ch.forget()
}

// sideChangelog is the name of the topic with the state of a rebuild.
func (c *change) sideChangelog() string { return c.loop.config.Topics.Changelog + ".rebuild" }

// forget deletes what only a rebuild needed.
func (c *change) forget() error {
	l := c.loop
	if _, err := l.admin.Topic(l.ctx, c.sideChangelog()); errors.Is(err, kafka.ErrNoTopic) {
		return nil
	}
	return l.admin.DeleteTopic(l.ctx, c.sideChangelog())
}

// afterRows lets transactions be counted from above all that the results hold of
// the views: they may have been answered at an earlier time, by a state or by a
// rebuild that was never finished, and nothing else may know of it any more.
func (c *change) afterRows() error {
	l := c.loop
	topic, err := l.admin.Topic(l.ctx, l.config.Topics.Results)
	if err != nil {
		return err
	}
	partitions := make([]int32, topic.Partitions)
	for i := range partitions {
		partitions[i] = int32(i)
	}
	ends, err := l.admin.Offsets(l.ctx, topic.Name, partitions)
	if err != nil {
		return err
	}
	var ranges []kafka.Range
	for _, o := range ends {
		ranges = append(ranges, kafka.Range{Topic: topic.Name, Partition: o.Partition, From: o.Earliest, To: o.High})
	}
	ids := map[string]bool{}
	for _, v := range l.config.Views.Views {
		if slices.Contains(c.views, v.Name) {
			ids[v.ID()] = true
		}
	}
	if len(ids) == 0 {
		return nil // views are only dropped
	}
	return l.config.Kafka.ReadTo(l.ctx, kafka.ReaderConfig{}, ranges, l.config.RestoreStall, func(b *kafka.Batch) error {
		for i := range b.Len() {
			var r result.Result
			if err := r.Decode(b.Value(i)); err != nil {
				return fmt.Errorf("cannot read topic %q, partition %d, offset %d: %w", b.Topic, b.Partition, b.Offsets[i], err)
			}
			if ids[string(r.View)] {
				l.floor = max(l.floor, r.Place.Transaction)
			}
		}
		return nil
	})
}

// join enters the group.
func (c *change) join() error {
	return c.loop.join(func(partitions []int32) ([]int64, error) {
		c.joined, c.share = true, partitions
		offsets := make([]int64, len(partitions)) // read in vain, so from where little is left
		ends, err := c.loop.admin.Offsets(c.loop.ctx, c.loop.source.Name, partitions)
		for i := range ends {
			offsets[i] = ends[i].High
		}
		return offsets, err
	}, func([]int32, bool) { c.joined = false })
}

// poll takes part in the group's life.
func (c *change) poll(wait time.Duration) error {
	if err := c.loop.ctx.Err(); err != nil {
		return err
	}
	_, err := c.loop.consumer.Poll(wait)
	return err
}

// alone waits until the group has no other member: one that died, or a named one
// that was stopped, keeps its place until its session is over.
func (c *change) alone() error {
	patience := c.loop.config.SessionTimeout + 5*time.Second
	deadline := time.Now().Add(patience)
	told := false
	for !c.joined || len(c.share) < c.loop.source.Partitions {
		if err := c.poll(100 * time.Millisecond); err != nil {
			return err
		}
		if c.joined && !told && len(c.share) < c.loop.source.Partitions {
			told = true
			c.loop.config.Log.Info("waiting for other members of the group to leave; one that was stopped a moment ago is counted until its session ends",
				"group", c.loop.config.Group, "at most", patience)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot change the views of group %q: a processor of it is running; stop all of them, and type the command again", c.loop.config.Group)
		}
	}
	return nil
}

// move changes one partition, again and again while only its transaction fails.
// It reports whether there was anything to change.
func (c *change) move(p int32) (bool, error) {
	deadline := time.Now().Add(c.loop.hopeless())
	for {
		did, err := c.attempt(p)
		var stop *Stop
		var tooLarge *kafka.TooLargeError
		var refused *Refusal
		if err == nil || errors.As(err, &stop) || errors.As(err, &tooLarge) || errors.As(err, &refused) || c.loop.ctx.Err() != nil {
			return did, err
		}
		if time.Now().After(deadline) {
			return false, fmt.Errorf("cannot change partition %d: every transaction failed, the last with: %w", p, err)
		}
		// Its outcome may be unknown: the next attempt takes the id, which settles
		// it, and looks.
		c.loop.config.Log.Warn("changing a partition failed; trying again", "partition", p, "error", err)
		if err := c.poll(100 * time.Millisecond); err != nil {
			return false, err
		}
	}
}

// attempt is one transaction. No error and false say that there was nothing to
// change: the partition has been moved before, or never held anything.
func (c *change) attempt(p int32) (bool, error) {
	l := c.loop
	producer, err := l.producer(p) // whoever had the id can commit nothing from here on
	if err != nil {
		return false, err
	}
	defer producer.Close()
	if err := l.probe(Moving, p); err != nil {
		return false, err
	}
	committed, err := l.committed([]int32{p})
	if err != nil {
		return false, err
	}
	did, err := c.attemptAt(p, producer, committed)
	if stop := (*Stop)(nil); errors.As(err, &stop) {
		_, moved, failed := l.moved([]int32{p}, committed)
		if failed != nil {
			return false, failed
		}
		if moved {
			return false, errors.New("a processor has taken the partition back in the meantime")
		}
	}
	return did, err
}

// attemptAt is the same for the state at a position.
func (c *change) attemptAt(p int32, producer Producer, committed []position) (bool, error) {
	l := c.loop
	states, err := l.load([]int32{p}, slices.Clone(committed))
	if err != nil {
		return false, err
	}
	s := &states[0]
	var differ *engine.ViewsError
	if err := l.checkState(p, s); !errors.As(err, &differ) {
		return false, err
	}
	if err := c.allows(differ); err != nil {
		return false, err
	}
	var rebuilt *engine.Engine
	if c.rebuilt != nil {
		if rebuilt, err = c.rebuilt(p, s.committed.offset); err != nil {
			return false, err
		}
	}
	t := l.task(p, producer)
	t.engine, t.committed = s.engine, s.committed
	t.reset()
	if err := t.begin(); err != nil {
		return false, err
	}
	meta, err := t.engine.Change(rebuilt, &t.out)
	if err == nil {
		err = l.checkMeta(p, &s.committed, meta)
	}
	if err != nil {
		remedy := oneOwner
		if rebuilt != nil {
			remedy = "if the log has lost its beginning, `parallax processor reset --view " + strings.Join(c.views, " --view ") + "` finishes this, counting from now on"
		}
		return false, l.stop(p, err, remedy, "%v", err)
	}
	for _, m := range c.markers(p, s.committed.offset, differ) {
		if err := producer.Produce(kafka.Record{Topic: l.config.Topics.Markers, Value: m}); err != nil {
			return false, err
		}
	}
	member, err := t.complete()
	if err == nil {
		err = t.tryCommit(member)
	}
	return err == nil, err
}

// Refusal says that a command cannot be carried out as it was given; nothing
// was changed.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// allows says whether the difference is what was named, no more and no less.
func (c *change) allows(differ *engine.ViewsError) error {
	if differ.Time {
		return refuse("%v", differ)
	}
	all := slices.Concat(differ.Changed, differ.New, differ.Gone)
	for _, name := range c.views {
		if !slices.Contains(all, name) {
			return c.foreign(name, differ.State)
		}
		if c.rebuilt != nil && slices.Contains(differ.Gone, name) {
			return refuse("cannot rebuild view %q: the views file lacks it; to drop it, type `parallax processor reset --view %s`", name, name)
		}
	}
	for _, name := range all {
		if !slices.Contains(c.views, name) {
			return refuse("cannot change only %s: view %q differs from the state too; name it with another --view, or put it back as it was", quoted(c.views), name)
		}
	}
	return nil
}

// foreign is the refusal for a name that is not among the differences.
func (c *change) foreign(name string, state []string) error {
	var known []string
	for _, v := range c.loop.config.Views.Views {
		if v.Name == name {
			return refuse("cannot change view %q: the state answers it already as the views file defines it, or there is no state yet", name)
		}
		known = append(known, v.Name)
	}
	for _, id := range state {
		if old, _, _ := strings.Cut(id, "@"); !slices.Contains(known, old) {
			known = append(known, old)
		}
	}
	return refuse("cannot change view %q: there is none of this name; there are %s", name, quoted(known))
}

// unchanged is the refusal when no partition differs.
func (c *change) unchanged() error { return c.foreign(c.views[0], nil) }

func quoted(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(list, ", ")
}
