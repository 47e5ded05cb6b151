package torture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parallax.example/cmd/parallax/torture/check"
	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
)

// stopRows take something away that a partition cannot go on without. The
// program must stop with one line that says what is missing and what to do, each
// time that it is started, and change nothing.
var stopRows = []row{
	stop("topic-recreated", "the events topic is deleted and made again while nothing runs", "processor", recreateEvents,
		"was deleted and made again", "choose another topic prefix"),
	stop("retention", "retention takes events that are not answered yet", "processor", loseUnanswered,
		"the records between are lost", "choose another topic prefix"),
	stop("offsets-deleted", "the group's committed offsets are deleted", "processor", deleteGroup,
		"has committed nothing", "choose another topic prefix"),
	stop("changelog-deleted", "the changelog is deleted and made again empty", "processor", recreateChangelog,
		"is empty", "choose another topic prefix"),
	stop("changelog-truncated", "the changelog loses its records but the last", "processor", truncateChangelog,
		"cannot restore the state", "restore the changelog topic from a backup"),
	stop("lake-topic-recreated", "the events topic is deleted and made again; the lake is of the former one", "ingest", recreateEvents,
		"was deleted and made again", "begin a new lake"),
	stop("lake-retention", "retention takes events that are not in the lake yet", "ingest", loseUnanswered,
		"the records between are lost", "begin a new lake"),
	{name: "same-group", group: "stop", what: "a second deployment, of other topics, is started with the same group", wants: 1, whole: sameGroup},
	{name: "retention-live", group: "stop", what: "retention overtakes processors that are frozen", wants: 1, joins: true, whole: retentionLive},
	{name: "topic-recreated-live", group: "stop", what: "the events topic is deleted and made again while processors run", wants: 1, joins: true, whole: recreatedLive},
}

func stop(name, what, program string, take func(context.Context, *run) error, says ...string) row {
	return row{name: name, group: "stop", what: what, wants: 1, whole: func(ctx context.Context, r *run) (*check.Report, error) {
		if err := r.stream(ctx); err != nil {
			return nil, err
		}
		if program == "ingest" {
			if err := r.toEnd(ctx); err != nil {
				return nil, err
			}
		}
		if err := r.tail.stop(); err != nil { // what it reads may go
			return nil, err
		}
		if err := take(ctx, r); err != nil {
			return nil, err
		}
		r.note()
		s := &stopped{run: r, report: &check.Report{Events: r.tail.count(r.topics.Events)}}
		before, err := r.footprint(ctx)
		if err != nil {
			return nil, err
		}
		for range 2 { // whoever starts it again is told again
			if program == "ingest" {
				err = r.startIngest(program)
			} else {
				err = r.startProcessor(0)
			}
			if err != nil {
				return nil, err
			}
			name := program
			if program == "processor" {
				name = processor(0)
			}
			if err := s.ends(ctx, name, says...); err != nil {
				return nil, err
			}
		}
		return s.report, s.unchanged(ctx, before)
	}}
}

// stopped watches programs that must stop.
type stopped struct {
	run    *run
	report *check.Report
}

func (s *stopped) fail(format string, args ...any) {
	s.report.Violations = append(s.report.Violations, check.Violation{Check: "stop", Message: fmt.Sprintf(format, args...)})
}

// ends waits until a program has stopped, and looks at what it said.
func (s *stopped) ends(ctx context.Context, name string, says ...string) error {
	o := s.run.roles[name]
	o.doomed = true
	if err := s.run.await(ctx, "the "+name+" to stop", s.run.bound(), o.over); err != nil {
		s.run.kill(name)
		s.fail("the %s did not stop: %v; it said %q", name, err, o.last())
		return ctx.Err()
	}
	delete(s.run.roles, name)
	var told config.Told
	if err := o.proc.Err(); !errors.As(err, &told) || told.ExitCode() != config.ExitCannot {
		s.fail("the %s ended with %v, want exit code %d", name, o.proc.Err(), config.ExitCannot)
	}
	for _, text := range says {
		if !strings.Contains(o.last(), text) {
			s.fail("the %s said %q, and not %q", name, o.last(), text)
		}
	}
	return nil
}

// footprint is where the run's topics end and what is committed.
func (r *run) footprint(ctx context.Context) (string, error) {
	var text strings.Builder
	all := []int32{0, 1, 2, 3}
	for _, topic := range []string{r.topics.Results, r.topics.Excluded, r.topics.DeadLetters, r.topics.Changelog} {
		ends, err := r.admin.Offsets(ctx, topic, all)
		if err != nil {
			return "", err
		}
		for _, o := range ends {
			fmt.Fprintf(&text, "%s/%d: %d\n", topic, o.Partition, o.High)
		}
	}
	committed, err := r.admin.Committed(ctx, r.prefix, r.topics.Events, all)
	if err != nil {
		return "", err
	}
	for _, c := range committed {
		fmt.Fprintf(&text, "%d is committed up to %d\n", c.Partition, c.Offset)
	}
	return text.String(), nil
}

// unchanged asks whether a program that stopped has reset or written anything.
func (s *stopped) unchanged(ctx context.Context, before string) error {
	after, err := s.run.footprint(ctx)
	if err != nil {
		return err
	}
	if after != before {
		s.fail("it changed something:\n%s\nwas\n%s", after, before)
	}
	return nil
}

// remake deletes a topic and makes all that are missing.
func (r *run) remake(ctx context.Context, topic string) error {
	was, err := r.admin.Topic(ctx, topic)
	if err != nil {
		return err
	}
	if err := r.admin.DeleteTopic(ctx, topic); err != nil {
		return err
	}
	for deadline := time.Now().Add(drainFor); ; { // it goes in its own time
		if _, err = r.admin.Topic(ctx, topic); errors.Is(err, kafka.ErrNoTopic) {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("topic %q is still there: %w", topic, err)
		}
		if err := r.pause(ctx, glance); err != nil {
			return err
		}
	}
	if err := r.admin.EnsureTopics(ctx, r.topics.Specs(partitions, 1)); err != nil {
		return err
	}
	now, err := r.admin.Topic(ctx, topic)
	if err == nil && now.ID == was.ID {
		err = fmt.Errorf("topic %q has its former id", topic)
	}
	return err
}

func recreateEvents(ctx context.Context, r *run) error { return r.remake(ctx, r.topics.Events) }

func recreateChangelog(ctx context.Context, r *run) error { return r.remake(ctx, r.topics.Changelog) }

// deleteGroup waits for static members, which leave only with their sessions.
func deleteGroup(ctx context.Context, r *run) (err error) {
	for deadline := time.Now().Add(r.bound()); ; {
		if err = r.admin.DeleteGroup(ctx, r.prefix); err == nil || time.Now().After(deadline) {
			return err
		}
		if err := r.pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// truncateChangelog leaves of one partition only what its last transaction
// ended with. A compacted topic loses nothing by itself, so it is made anew.
func truncateChangelog(ctx context.Context, r *run) error {
	whole := r.tail.live(r.topics.Changelog)
	if err := r.remake(ctx, r.topics.Changelog); err != nil {
		return err
	}
	var records []kafka.Record
	for i, m := range whole {
		if m.Partition == 1 && i+1 < len(whole) && whole[i+1].Partition == 1 {
			continue
		}
		records = append(records, kafka.Record{Topic: r.topics.Changelog, Partition: m.Partition, Key: m.Key, Value: m.Value})
	}
	return r.produce(ctx, records)
}

func (r *run) produce(ctx context.Context, records []kafka.Record) error {
	p, err := kafka.NewProducer(kafka.Config{Brokers: r.cluster.brokers, ClientID: "torture"}, kafka.ProducerConfig{OnDelivery: func(kafka.Delivery) {}})
	if err != nil {
		return err
	}
	defer p.Close()
	for _, m := range records {
		if err := p.Produce(ctx, m, 0); err != nil {
			return err
		}
	}
	return p.Flush(ctx)
}

// loseUnanswered sends more, and lets retention take a part of it.
func loseUnanswered(ctx context.Context, r *run) error {
	ends, err := r.admin.Offsets(ctx, r.topics.Events, []int32{2})
	if err != nil {
		return err
	}
	var more []kafka.Record
	for i := range 20 {
		more = append(more, kafka.Record{Topic: r.topics.Events, Partition: 2, Value: fmt.Appendf(nil, "more %d", i)})
	}
	if err := r.produce(ctx, more); err != nil {
		return err
	}
	return r.admin.DeleteRecords(ctx, r.topics.Events, 2, ends[0].High+10)
}

// live starts a run whose programs may end by themselves from now on.
func (r *run) live(ctx context.Context) error {
	var err error
	if r.tail, err = follow(kafka.Config{Brokers: r.cluster.brokers, ClientID: "torture"}, r.topics); err != nil {
		return err
	}
	for i := range r.processors {
		if err := r.startProcessor(i); err != nil {
			return err
		}
	}
	if err := r.startGenerator(); err != nil {
		return err
	}
	if err := r.midway(ctx); err != nil {
		return err
	}
	for _, o := range r.roles {
		o.doomed = true
	}
	return nil
}

// sameGroup starts a processor of other topics in the group of those that work:
// it must stop, and they must not be disturbed.
func sameGroup(ctx context.Context, r *run) (*check.Report, error) {
	other := kafka.NewTopics(r.prefix + "-other")
	if err := r.admin.EnsureTopics(ctx, other.Specs(partitions, 1)); err != nil {
		return nil, err
	}
	s := &stopped{run: r, report: &check.Report{}}
	during := func(ctx context.Context, r *run) error {
		if err := r.midway(ctx); err != nil {
			return err
		}
		// One that has done nothing yet stops as well: it cannot know who was first.
		err := r.await(ctx, "all processors to work", drainFor, func() bool {
			return !slices.ContainsFunc(r.all(), func(name string) bool { return len(r.roles[name].owned()) == 0 })
		})
		if err != nil {
			return err
		}
		err = r.start("other", "", "processor", "--brokers", r.cluster.brokers, "--topic-prefix", r.prefix+"-other", "--group", r.prefix,
			"--views", r.in("views.yaml"), "--session-timeout", r.session.String(), "--transaction-timeout", r.transaction.String())
		if err != nil {
			return err
		}
		r.note()
		return s.ends(ctx, "other", "are at work on topic", "a --group of its own")
	}
	with := *r.row
	with.during = during
	r.row = &with
	if err := r.stream(ctx); err != nil {
		return nil, err
	}
	e, err := r.evidence(ctx)
	if err != nil {
		return nil, err
	}
	report := check.Run(e)
	report.Violations = append(report.Violations, s.report.Violations...)
	return report, nil
}

func retentionLive(ctx context.Context, r *run) (*check.Report, error) {
	if err := r.live(ctx); err != nil {
		return nil, err
	}
	s := &stopped{run: r, report: &check.Report{Events: r.tail.count(r.topics.Events)}}
	for _, name := range r.all() {
		r.roles[name].proc.Freeze()
	}
	if err := r.ended(ctx, "generator"); err != nil {
		return nil, err
	}
	ends, err := r.admin.Offsets(ctx, r.topics.Events, []int32{0, 1, 2, 3})
	if err != nil {
		return nil, err
	}
	for _, o := range ends {
		if err := r.admin.DeleteRecords(ctx, r.topics.Events, o.Partition, o.High-1); err != nil {
			return nil, err
		}
	}
	r.note()
	// What they had read before is answered; then they must stop, or, if they had
	// read all of it, have answered everything.
	names := r.all()
	for _, name := range names {
		r.roles[name].proc.Thaw()
	}
	answered := func() bool {
		next := r.tail.committed()
		for _, o := range ends {
			if next[o.Partition] < o.High {
				return false
			}
		}
		return true
	}
	for _, name := range names {
		o := r.roles[name]
		if err := r.await(ctx, "the "+name+" to stop", r.bound(), func() bool { return o.over() || answered() }); err != nil {
			s.fail("the %s neither stopped nor answered everything: %v; it said %q", name, err, o.last())
		}
		if o.over() && !strings.Contains(o.last(), "the records between are lost") && !strings.Contains(o.last(), "out of range") {
			s.fail("the %s said %q", name, o.last())
		}
	}
	return s.report, nil
}

func recreatedLive(ctx context.Context, r *run) (*check.Report, error) {
	if err := r.live(ctx); err != nil {
		return nil, err
	}
	s := &stopped{run: r, report: &check.Report{Events: r.tail.count(r.topics.Events)}}
	if err := r.tail.stop(); err != nil { // it reads a topic that goes
		return nil, err
	}
	r.kill("generator")
	if err := r.remake(ctx, r.topics.Events); err != nil {
		return nil, err
	}
	r.note()
	for _, name := range r.all() {
		if err := s.ends(ctx, name, "made again", "choose another topic prefix"); err != nil {
			return nil, err
		}
	}
	if err := r.startProcessor(0); err != nil {
		return nil, err
	}
	return s.report, s.ends(ctx, processor(0), "was deleted and made again", "choose another topic prefix")
}
