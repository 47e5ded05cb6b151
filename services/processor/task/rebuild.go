package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// rebuild computes views from the first retained offset on, beside the processor
// whose state lacks them, and then gives them to that state.
//
// It is a loop like any other, over the same input, in a group and with a
// changelog of its own, and only for those views. It never goes beyond what the
// processor has committed. When it has come there, each partition is switched
// over: its transactional id is taken, so that the committed offset is the last
// one of the processor; the loop comes to exactly this offset; then the state
// gets the views in one transaction (see change). From there on the partition is
// the new processor's business, and the loop's bound stays where it is.
//
// Interrupted before the switch, it goes on where its own changelog ends.
// Interrupted between partitions, the states tell which are switched: they lack
// nothing. The processor refuses until all are, whichever views file it has.
type rebuild struct {
	change
	side     *Loop
	switched map[int32]bool // partitions which lack nothing
	aims     []position     // what the processor had committed, by partition; the bounds
	asked    time.Time      // when it was asked
	progress func(done, of int64)
}

// Rebuild gives the state of c's group the named views of c.Views, complete from
// the first retained offset on. A processor of the group may run, with the views
// of the state; it is stopped by the switch. progress, if not nil, hears how many
// records of how many are taken in. Interrupted, it is to be run again.
func Rebuild(ctx context.Context, c Config, names []string, progress func(done, of int64)) (err error) {
	l := New(c)
	r := &rebuild{change: change{loop: l, views: names, kind: "view-rebuilt"}, switched: map[int32]bool{}, progress: progress}
	r.rebuilt = r.engineAt
	defer func() {
		if r.side != nil {
			err = errors.Join(err, r.side.close())
		}
		err = errors.Join(err, l.close())
	}()
	if err := l.connect(ctx); err != nil {
		return err
	}
	if err := l.exact(); err != nil {
		return err
	}
	views, err := r.survey()
	if err != nil {
		return err
	}
	if views == nil {
		return errors.Join(r.forget(), r.unchanged())
	}
	if err := r.open(views); err != nil {
		return err
	}
	if err := r.follow(); err != nil {
		return err
	}
	if err := r.fits(); err != nil {
		return err
	}
	if err := r.switchOver(); err != nil {
		return err
	}
	c.Log.Info("views are switched over; start the processors with the new views file", "views", names)
	return r.forget()
}

// exact refuses a group whose states were not made exactly once: they say of
// themselves that they may be wrong.
func (l *Loop) exact() error {
	committed, err := l.admin.Committed(l.ctx, l.config.Group, l.source.Name, l.all())
	if err != nil {
		return err
	}
	for _, c := range committed {
		if c.Offset < 0 {
			continue
		}
		at, err := parsePosition(c.Offset, c.Metadata)
		if err != nil {
			continue // whoever follows the group says so
		}
		if err := l.checkGuarantee(c.Partition, at.guarantee); err != nil {
			return err
		}
	}
	return nil
}

// survey finds the views that the state lacks, nil if there are none. It reads
// the changelog while the processor may be writing it, so of what it reads only
// the views are believed.
func (r *rebuild) survey() (*view.File, error) {
	l := r.loop
	var lacks []string
	for p := range int32(l.source.Partitions) {
		_, differ, err := l.survey(p)
		if err != nil {
			return nil, err
		}
		if differ == nil {
			r.switched[p] = true
			continue
		}
		if err := r.allows(differ); err != nil {
			return nil, err
		}
		missing := slices.DeleteFunc(slices.Clone(differ.File), func(id string) bool { return slices.Contains(differ.State, id) })
		if lacks != nil && !slices.Equal(lacks, missing) {
			return nil, refuse("cannot rebuild %s: one partition lacks %s, another %s, since another change was interrupted; finish that one first", quoted(r.views), quoted(lacks), quoted(missing))
		}
		lacks = missing
	}
	if lacks == nil {
		return nil, nil
	}
	f := &view.File{Time: l.config.Views.Time}
	for _, v := range l.config.Views.Views {
		if slices.Contains(lacks, v.ID()) {
			f.Views = append(f.Views, v)
		}
	}
	return f, nil
}

// survey reads a partition's changelog, and says how its views differ from the
// loop's; nil if they do not.
func (l *Loop) survey(p int32) (meta engine.Meta, differ *engine.ViewsError, err error) {
	states, err := l.readChangelog([]int32{p}, make([]position, 1))
	if err != nil {
		return meta, nil, err
	}
	meta, err = states[0].engine.Loaded()
	errors.As(err, &differ)
	return meta, differ, nil
}

// open starts the loop beside, with a changelog of these views.
func (r *rebuild) open(views *view.File) error {
	l := r.loop
	c := l.config
	c.Views, c.Beside = views, true
	c.Slot = "rebuild" // so that a second run takes the place of one that was killed
	c.Topics.Changelog = r.sideChangelog()
	c.Counters = &Counters{}
	for again := true; again; {
		err := l.admin.EnsureTopics(l.ctx, []kafka.TopicSpec{{
			Name: r.sideChangelog(), Partitions: l.source.Partitions, Replication: -1, // the brokers' default
			Config: map[string]string{"cleanup.policy": "compact"},
		}})
		if err != nil {
			return err
		}
		topic, err := l.admin.Topic(l.ctx, r.sideChangelog())
		if err != nil {
			return err
		}
		// So that committed offsets belong to this changelog, and to no earlier one.
		c.Group = l.config.Group + ".rebuild." + topic.ID
		r.side = New(c)
		if err := r.side.connect(l.ctx); err != nil {
			return err
		}
		if again, err = r.dropUnfit(); err != nil {
			return err
		}
	}
	if err := r.afterRows(); err != nil {
		return err
	}
	r.side.floor = l.floor
	if err := r.bound(); err != nil {
		return err
	}
	if err := r.announce(views); err != nil {
		return err
	}
	return r.side.join(r.side.assigned, r.side.revoked)
}

// dropUnfit drops the changelog of an unfinished rebuild that cannot go on: it
// was of other views, or retention has overtaken it.
func (r *rebuild) dropUnfit() (bool, error) {
	l := r.loop
	ends, err := l.admin.Offsets(l.ctx, l.source.Name, l.all())
	if err != nil {
		return false, err
	}
	unfit := false
	for p, end := range ends {
		meta, differ, err := r.side.survey(int32(p))
		if err != nil {
			return false, err
		}
		unfit = unfit || differ != nil || meta.Transaction > 0 && meta.Next < end.Earliest
	}
	if !unfit {
		return false, nil
	}
	l.config.Log.Info("an unfinished rebuild is dropped: it was of other views, or the log lost what it needs next")
	return true, errors.Join(r.side.close(), r.forget())
}

// all are the numbers of the input's partitions.
func (l *Loop) all() []int32 {
	all := make([]int32, l.source.Partitions)
	for p := range all {
		all[p] = int32(p)
	}
	return all
}

// bound lets the loop beside come as far as the processor has committed.
func (r *rebuild) bound() error {
	committed, err := r.loop.admin.Committed(r.loop.ctx, r.loop.config.Group, r.loop.source.Name, r.loop.all())
	if err != nil {
		return err
	}
	bounds := make(map[int32]int64, len(committed))
	r.aims = make([]position, len(committed))
	for i, c := range committed {
		if c.Offset >= 0 {
			if r.aims[i], err = parsePosition(c.Offset, c.Metadata); err != nil {
				return fmt.Errorf("cannot follow group %q in partition %d: %w", r.loop.config.Group, c.Partition, err)
			}
		}
		if !r.switched[c.Partition] {
			bounds[c.Partition] = c.Offset
		}
	}
	r.asked = time.Now()
	return r.side.limit(bounds)
}

// limit sets how far partitions may go; those which are not named go nowhere.
func (l *Loop) limit(bounds map[int32]int64) error {
	l.bounds = bounds
	for p := range int32(l.source.Partitions) {
		bound, ok := bounds[p]
		if !ok {
			bounds[p] = 0
		}
		if t := l.tasks[p]; t != nil && t.parked && t.attempt.offset < bound {
			if err := t.seek(); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow lets the loop beside come to where the processor is: to a bound that
// was true a moment ago.
func (r *rebuild) follow() error {
	for {
		if err := r.turn(); err != nil {
			return err
		}
		if r.there() && time.Since(r.asked) < time.Second {
			return nil
		}
		if err := r.renew(); err != nil {
			return err
		}
	}
}

// renew asks for the bounds again when the loop beside has come to old ones.
func (r *rebuild) renew() error {
	if !r.there() || time.Since(r.asked) < time.Second {
		return nil
	}
	return r.bound()
}

// turn lets the loop beside work, and tells how far it is.
func (r *rebuild) turn() error {
	if err := r.loop.ctx.Err(); err != nil {
		return err
	}
	if err := r.side.turn(); err != nil {
		return err
	}
	if r.progress != nil {
		var done, of int64
		for p, bound := range r.side.bounds {
			of += bound
			if t := r.side.tasks[p]; t != nil {
				done += min(t.committed.offset, bound)
			}
		}
		r.progress(done, of)
	}
	return nil
}

// there says that the loop beside has committed all up to its bounds.
func (r *rebuild) there() bool {
	for p := range r.side.bounds {
		if !r.arrived(p) {
			return false
		}
	}
	return true
}

func (r *rebuild) arrived(p int32) bool {
	t := r.side.tasks[p]
	return t != nil && t.engine != nil && !t.open && t.committed.offset >= r.side.bounds[p]
}

// fits refuses, before a partition is changed, if the processor itself cannot go
// on, or the loop beside did not see what it saw: too little of the log is retained for the same watermark.
func (r *rebuild) fits() error {
	if err := r.loop.checkSource(r.loop.all(), r.aims); err != nil {
		return err
	}
	for p, aim := range r.aims {
		if t := r.side.tasks[int32(p)]; !r.switched[int32(p)] && !t.empty() && t.committed.watermark != aim.watermark {
			return refuse("cannot rebuild %s: too little of partition %d is retained to find the watermark of the state at offset %d; "+
				"no partition was changed by this; to count from now on, type `parallax processor reset --view %s`",
				quoted(r.views), p, aim.offset, strings.Join(r.views, " --view "))
		}
	}
	return nil
}

// empty says that nothing was retained below the task's offset.
func (t *task) empty() bool { return t.committed.transaction == 0 }

// switchOver gives the views to the state, partition by partition.
func (r *rebuild) switchOver() error {
	r.loop.config.Log.Info("the rebuild has come to where the processors are; switching over as soon as the group takes this member in", "group", r.loop.config.Group)
	if err := r.join(); err != nil {
		return err
	}
	for !r.joined {
		if err := errors.Join(r.poll(10*time.Millisecond), r.turn()); err != nil {
			return err
		}
		if err := r.renew(); err != nil {
			return err
		}
	}
	for p := range int32(r.loop.source.Partitions) {
		if r.switched[p] {
			continue
		}
		if _, err := r.move(p); err != nil {
			return err
		}
		r.switched[p] = true
	}
	return nil
}

// engineAt lets the loop beside come to exactly the offset at which the
// partition's state stands. Where nothing is retained up to there, the views begin empty.
func (r *rebuild) engineAt(p int32, next int64) (*engine.Engine, error) {
	bounds := maps.Clone(r.side.bounds)
	bounds[p] = next
	if err := r.side.limit(bounds); err != nil {
		return nil, err
	}
	for !r.arrived(p) {
		if err := errors.Join(r.turn(), r.poll(0)); err != nil {
			return nil, err
		}
	}
	t := r.side.tasks[p]
	if t.committed.offset > next {
		return nil, fmt.Errorf("cannot switch partition %d over: the rebuild has come to offset %d, beyond the state's %d; another program changed the group's offsets", p, t.committed.offset, next)
	}
	if t.empty() {
		return nil, nil
	}
	return t.engine, nil
}
