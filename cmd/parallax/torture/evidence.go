package torture

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"parallax.example/cmd/parallax/torture/check"
	"parallax.example/internal/kafka"
	"parallax.example/internal/ledger"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/gather"
)

// readStall bounds a read that does not go on.
const readStall = 20 * time.Second

// evidence gathers what the run left.
func (r *run) evidence(ctx context.Context) (*check.Evidence, error) {
	f, err := view.Parse("views.yaml", []byte(r.views))
	if err != nil {
		return nil, err
	}
	e := &check.Evidence{Views: f, Topics: r.topics, Bound: r.bound(), Retried: r.row.broker, Weaker: r.guarantee != exactlyOnce}
	if err := r.readTopics(ctx, e); err != nil {
		return nil, err
	}
	if e.Ledger, err = readLedger(r.in("generator.ledger")); err != nil {
		return nil, err
	}
	if r.lake {
		e.Lake, e.Reporter = r.in("lake"), r.reporterSaid
		if e.Batch, err = gather.Batch(r.in("batch", "job")); err != nil {
			return nil, err
		}
	}
	recoveries, waiting := r.recoveries()
	e.Fault = check.Fault{Name: r.row.name, Wants: r.row.wants, Fired: r.fired(), Recoveries: recoveries, Waiting: waiting}
	return e, nil
}

// bound is the longest that may pass from a fault to a new result: a dead member
// is found out after its session, a dead transaction by its timeout, and a busy
// machine takes its time.
func (r *run) bound() time.Duration { return 2*r.session + 2*r.transaction + 20*time.Second }

func (r *run) readTopics(ctx context.Context, e *check.Evidence) error {
	all := make([]int32, partitions)
	for p := range all {
		all[p] = int32(p)
	}
	ctx, cancel := context.WithTimeout(ctx, r.patience) // Kafka may just have come back
	defer cancel()
	places := map[string]*check.Topic{
		r.topics.Events: &e.Events, r.topics.Results: &e.Results, r.topics.Excluded: &e.Excluded,
		r.topics.DeadLetters: &e.DeadLetters, r.topics.Changelog: &e.Changelog,
	}
	var ranges []kafka.Range
	for name, t := range places {
		ends, err := r.admin.Offsets(ctx, name, all)
		if err != nil {
			return err
		}
		t.Name, t.Ends = name, ends
		for _, o := range ends {
			ranges = append(ranges, kafka.Range{Topic: name, Partition: o.Partition, From: o.Earliest, To: o.High})
		}
	}
	config := kafka.Config{Brokers: r.cluster.brokers, ClientID: "torture"}
	err := kafka.ReadTo(ctx, config, kafka.ReaderConfig{Keys: true}, ranges, readStall, func(b *kafka.Batch) error {
		for i := range b.Len() {
			places[b.Topic].Records = append(places[b.Topic].Records, record(b, i))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot read what the run left: %w", err)
	}
	for name, t := range places {
		slices.SortStableFunc(t.Records, func(a, b check.Record) int { return cmp.Compare(a.Partition, b.Partition) })
		if r.tail == nil {
			continue
		}
		if err := r.await(ctx, "the follower to come to the end of "+name, readStall, func() bool { return r.tail.count(name) >= len(t.Records) }); err != nil {
			return err
		}
		t.Live = r.tail.live(name)
	}
	committed, err := r.admin.Committed(ctx, r.prefix, r.topics.Events, all)
	if err != nil {
		return err
	}
	for _, c := range committed {
		e.Group = append(e.Group, check.Position{Offset: c.Offset, Metadata: c.Metadata})
	}
	return nil
}

func readLedger(path string) (list []check.Message, err error) {
	_, err = ledger.Walk(path, func(i *ledger.Intent, o *ledger.Outcome) error {
		m := check.Message{Intent: *i, Outcome: *o}
		m.Key, m.Value = bytes.Clone(i.Key), bytes.Clone(i.Value)
		list = append(list, m)
		return nil
	})
	return list, err
}

// keep writes what lay in Kafka beside the other files of a failed run: the
// topics go when the broker ends.
func (r *run) keep(e *check.Evidence) error {
	for _, t := range []*check.Topic{&e.Events, &e.Results, &e.Excluded, &e.DeadLetters, &e.Changelog} {
		var b bytes.Buffer
		lines := json.NewEncoder(&b)
		for _, m := range t.Records {
			if err := lines.Encode(m); err != nil {
				return err
			}
		}
		if err := os.WriteFile(r.in(t.Name+".jsonl"), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("cannot keep what the run left: %w", err)
		}
	}
	b, err := json.MarshalIndent(e.Group, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.in("group.json"), b, 0o644)
}
