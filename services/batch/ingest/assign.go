package ingest

import (
	"context"
	"fmt"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
)

// assigned runs inside Poll.
func (g *Ingester) assigned(ctx context.Context, numbers []int32) (offsets []int64, err error) {
	clear(g.owned)
	if g.topic, err = g.admin.Topic(ctx, g.topic.Name); err != nil {
		return nil, err
	}
	parts := make([]*partition, len(numbers))
	for i, n := range numbers {
		parts[i] = &partition{number: n, buffer: newBuffer(n, g.config.Bytes)}
	}
	if err := g.locate(ctx, parts); err != nil {
		return nil, err
	}
	offsets = make([]int64, len(parts))
	for i, p := range parts {
		g.owned[p.number], offsets[i] = p, p.start
	}
	g.deps.Log.Info("assigned", "partitions", numbers, "offsets", offsets)
	return offsets, nil
}

// revoked runs inside Poll and Close. What is not committed is dropped: the
// next owner reads it again from the chain's end.
func (g *Ingester) revoked(numbers []int32, lost bool) {
	for _, n := range numbers {
		delete(g.owned, n)
	}
	g.deps.Log.Info("revoked", "partitions", numbers, "lost", lost)
}

// resume puts an owned partition behind the chain's end. The topic stays the
// one of the assignment: other partitions have records of it in their buffers.
func (g *Ingester) resume(ctx context.Context, p *partition) error {
	if err := g.locate(ctx, []*partition{p}); err != nil {
		return err
	}
	return g.consumer.Seek(p.number, p.start)
}

// locate lets partitions begin at the ends of their chains.
func (g *Ingester) locate(ctx context.Context, parts []*partition) error {
	numbers := make([]int32, len(parts))
	for i, p := range parts {
		numbers[i] = p.number
	}
	// The chains first: another ingester may make them longer meanwhile, beyond
	// what was the log's end.
	chains, err := g.chains()
	if err != nil {
		return err
	}
	log, err := g.admin.Offsets(ctx, g.topic.Name, numbers)
	if err != nil {
		return err
	}
	if failpoint.Mutant("ingest/log-first") {
		if chains, err = g.chains(); err != nil {
			return err
		}
	}
	for i, p := range parts {
		if int(p.number) >= len(chains) {
			return fmt.Errorf("cannot go on with topic %q: it has got more than its %d partitions, so its keys have moved; begin a new lake", g.topic.Name, len(chains))
		}
		first, next, err := locate(chains[p.number], log[i])
		if err != nil {
			return err
		}
		p.first, p.high = first, log[i].High
		p.begin(next)
	}
	return nil
}

// chains reads the chains of all partitions and checks that they are of
// this topic: also those of others, since one lake must not mix two topics of one name.
func (g *Ingester) chains() ([]*lake.Chain, error) {
	chains, err := g.dir.Chains(g.topic.Name)
	if err != nil {
		return nil, err
	}
	for _, c := range chains {
		if err := same(c, g.topic); err != nil {
			return nil, err
		}
	}
	for n := len(chains); n < g.topic.Partitions; n++ { // none of the topic is there yet
		chains = append(chains, &lake.Chain{Topic: g.topic.Name, Partition: int32(n)})
	}
	return chains, nil
}

// locate returns where a partition goes on: at the end of its chain, or at
// offset 0. The error says why it cannot, and what to do.
func locate(c *lake.Chain, log kafka.Offsets) (first, next int64, err error) {
	next, begun := c.Next()
	if !begun {
		if log.Earliest > 0 {
			// Watermark and duplicates are functions of the prefix from offset 0.
			err = fmt.Errorf("cannot begin with partition %d of topic %q: its log begins at offset %d, and what is late or a duplicate depends on the records before; begin a new lake with a new topic, and let it keep its records longer", c.Partition, c.Topic, log.Earliest)
		}
		return 0, 0, err
	}
	if failpoint.Mutant("ingest/restart-early") {
		next--
	}
	switch {
	case next < log.Earliest:
		err = fmt.Errorf("cannot go on with partition %d of topic %q: the lake ends at offset %d and the log begins at %d, so the records between are lost; begin a new lake, and let the topic keep its records longer", c.Partition, c.Topic, next, log.Earliest)
	case next > log.High:
		err = fmt.Errorf("cannot go on with partition %d of topic %q: the lake ends at offset %d and the log already at %d, so the log was cut off or is another one; begin a new lake", c.Partition, c.Topic, next, log.High)
	}
	return c.Manifests[0].First, next, err
}

// same checks that the lake and the broker speak of one topic.
func same(c *lake.Chain, topic kafka.TopicInfo) error {
	if len(c.Manifests) == 0 {
		return nil
	}
	switch m := c.Manifests[0]; {
	case m.TopicID != topic.ID:
		return fmt.Errorf("cannot go on with topic %q: it was deleted and made again (id %s, the lake is of %s); begin a new lake", topic.Name, topic.ID, m.TopicID)
	case int(m.Partitions) != topic.Partitions:
		return fmt.Errorf("cannot go on with topic %q: it has %d partitions and had %d when the lake began, so its keys have moved; begin a new lake", topic.Name, topic.Partitions, m.Partitions)
	}
	return nil
}
