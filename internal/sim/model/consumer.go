package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/sim"
)

// errInstance ends a static member whose place another one has taken.
var errInstance = errors.New("another member has this instance's place")

// Consumer is a *kafka.Consumer of the model.
type Consumer struct {
	cluster *Cluster
	client  *Client
	config  kafka.GroupConfig
	group   *group
	name    string

	member     string // id; "" if it has none
	generation int
	state      membership
	assigned   bool    // has partitions, or is being given them
	assign     []int32 // to be given at the next poll; nil is nothing
	revoke     bool    // to be taken at the next poll
	lost       bool
	closed     bool
	fatal      error
	polled     time.Time
	alone      time.Time // when it was last in touch with its coordinator

	partitions []int32
	positions  map[int32]int64
	held       map[int32]bool
}

// membership is where a client stands between two rebalances.
type membership int

const (
	outside membership = iota // it has to join
	waiting                   // it has joined; the rebalance goes on
	inside                    // it has its share
)

// Consumer makes a member of a group.
func (c *Client) Consumer(g kafka.GroupConfig) *Consumer {
	c.group = g.Group
	c.made++
	k := &Consumer{
		cluster: c.cluster, client: c, config: g, group: c.cluster.group(g.Group),
		name: fmt.Sprintf("member%d/", c.made), polled: time.Now(), alone: time.Now(),
	}
	k.cluster.consumers = append(k.cluster.consumers, k)
	return k
}

// heard says that the coordinator hears of the member: its client's own thread
// sends heartbeats.
func (k *Consumer) heard() bool { return !k.closed && !k.client.process.Silent() }

// menu is what the client's own threads do.
func (k *Consumer) menu(m *sim.Menu) {
	p := k.client.process
	if k.closed || p.Dead() {
		return
	}
	now := time.Now()
	if p.Frozen() {
		return
	}
	if p.Cut() {
		until := k.alone.Add(k.config.SessionTimeout)
		if k.state == inside && now.Before(until) {
			m.At(until)
		} else if k.state == inside {
			m.Add(p.Name+"/"+k.name+"gives itself up", func() { k.out(true) })
		}
		return
	}
	k.alone = now
	if k.state == inside && now.Sub(k.polled) > k.config.MaxPollInterval {
		m.Add(p.Name+"/"+k.name+"was not polled", func() {
			k.cluster.world.Reach("not polled")
			if self := k.group.find(k.member); self != nil {
				k.group.remove(self)
				k.group.prepare(k.config.MaxPollInterval)
			}
			k.out(true)
		})
		return
	}
	self := k.group.find(k.member)
	switch {
	case k.fatal != nil:
	case k.member != "" && self == nil && k.replaced():
		m.Add(p.Name+"/"+k.name+"is replaced", func() { k.cluster.world.Reach("instance replaced"); k.fatal = errInstance })
	case k.member != "" && self == nil && k.state != outside:
		m.Add(p.Name+"/"+k.name+"is out", func() { k.cluster.world.Reach("member out"); k.out(k.state == inside) })
	case k.state == outside && !k.assigned && !k.revoke:
		m.Add(p.Name+"/"+k.name+"join", func() { k.join() })
	case k.state == waiting && self.answer != nil:
		m.Add(p.Name+"/"+k.name+"sync", func() {
			k.state, k.generation, k.assign, self.answer = inside, k.group.generation, self.answer, nil
		})
	case k.state == inside && k.group.preparing && !self.joined && !k.revoke:
		m.Add(p.Name+"/"+k.name+"heartbeat", func() { k.out(false) })
	}
}

// replaced says that another member has the instance's place.
func (k *Consumer) replaced() bool { return k.group.instance(k.config.Instance) != nil }

func (k *Consumer) join() {
	if k.group.find(k.member) == nil {
		k.member = ""
	}
	k.group.join(k)
	k.state = waiting
}

// out ends the share in the group: what is assigned must be revoked before the
// member joins again.
func (k *Consumer) out(lost bool) {
	k.state, k.assign = outside, nil
	if k.assigned {
		k.revoke, k.lost = true, k.lost || lost
	}
	if lost {
		k.member = ""
	}
}

func (k *Consumer) local(what string, do func()) error {
	return k.client.process.Do(sim.Call{Name: k.name + what, Local: true, Try: func() (bool, error) { do(); return true, nil }})
}

// readable are the assigned partitions of which there is something to read.
func (k *Consumer) readable() (list []int32) {
	if k.client.process.Cut() {
		return nil
	}
	for _, p := range k.partitions {
		if !k.held[p] && k.positions[p] < k.cluster.Log(k.config.Topic, p).Stable() {
			list = append(list, p)
		}
	}
	return list
}

// Poll is kafka.Consumer's.
func (k *Consumer) Poll(wait time.Duration) (batches []*kafka.Batch, err error) {
	var assign []int32
	revoke := false
	err = k.client.process.Do(sim.Call{
		Name: k.name + "poll", Local: true, Until: time.Now().Add(wait),
		Ready: func() bool {
			return k.fatal != nil || k.revoke || k.assign != nil || len(k.readable()) > 0
		},
		Try: func() (bool, error) {
			k.polled = time.Now()
			switch {
			case k.fatal != nil:
				return true, k.fatal
			case k.revoke:
				revoke = true
			case k.assign != nil:
				assign, k.assign, k.assigned = k.assign, nil, true
			default:
				batches = k.fetch()
			}
			return true, nil
		},
	})
	switch {
	case revoke:
		err = k.give()
	case assign != nil:
		err = k.take(assign)
	}
	return batches, err
}

// fetch takes some records of some partitions.
func (k *Consumer) fetch() (batches []*kafka.Batch) {
	r := k.cluster.world.Rand
	for _, p := range k.readable() {
		if r.IntN(3) == 0 {
			continue
		}
		found, next := k.cluster.Log(k.config.Topic, p).read(k.positions[p], 1+r.IntN(k.config.MaxRecords))
		k.positions[p] = next
		if len(found) > 0 {
			batches = append(batches, batch(k.config.Topic, p, found, next, false))
		}
	}
	return batches
}

// give runs the callback of a revocation, on the caller's goroutine.
func (k *Consumer) give() error {
	k.config.OnRevoked(slices.Clone(k.partitions), k.lost)
	return k.local("unassign", func() {
		k.partitions, k.assigned, k.revoke, k.lost = nil, false, false, false
		k.polled = time.Now()
	})
}

// take runs the callback of an assignment.
func (k *Consumer) take(share []int32) error {
	offsets, err := k.config.OnAssigned(share)
	failed := k.local("assign", func() {
		k.polled = time.Now()
		if err != nil {
			return
		}
		k.partitions, k.positions, k.held = share, make(map[int32]int64), make(map[int32]bool)
		for i, p := range share {
			k.positions[p] = offsets[i]
		}
	})
	return errors.Join(err, failed)
}

// Seek is kafka.Consumer's.
func (k *Consumer) Seek(partition int32, offset int64) error {
	return k.local("seek", func() {
		if slices.Contains(k.partitions, partition) {
			k.positions[partition] = offset
		}
	})
}

// Hold is kafka.Consumer's.
func (k *Consumer) Hold(partition int32, on bool) {
	if k.held != nil {
		k.held[partition] = on
	}
}

// Committed is kafka.Consumer's.
func (k *Consumer) Committed(partitions []int32, timeout time.Duration) ([]kafka.Committed, error) {
	return k.client.committed(k.name+"committed", k.config.Group, partitions, timeout)
}

// Metadata is kafka.Consumer's.
func (k *Consumer) Metadata() (m kafka.GroupMetadata, err error) {
	failed := k.local("metadata", func() {
		if !k.assigned || k.member == "" {
			err = errors.New("cannot commit: no partition is assigned")
			return
		}
		m.Proof = &proof{k.config.Group, k.member, k.generation}
	})
	return m, errors.Join(failed, err)
}

// Lost is kafka.Consumer's.
func (k *Consumer) Lost() bool { return k.lost }

// Heartbeat is kafka.Consumer's.
func (k *Consumer) Heartbeat() time.Duration { return min(k.config.SessionTimeout/10, time.Second) }

// Path is kafka.Consumer's.
func (k *Consumer) Path() kafka.FetchPath { return kafka.FetchBatch }

// Close is kafka.Consumer's: a member without a name leaves, one with a name
// keeps its place until its session is over.
func (k *Consumer) Close() error {
	if k.assigned {
		if err := k.give(); err != nil {
			return nil //nolint:nilerr // the process is dead; the real one would not be asked
		}
	}
	return k.client.process.Do(sim.Call{Name: k.name + "leave", Try: func() (bool, error) {
		k.closed = true
		k.cluster.consumers = slices.DeleteFunc(k.cluster.consumers, func(other *Consumer) bool { return other == k })
		if self := k.group.find(k.member); self != nil && k.config.Instance == "" {
			k.group.remove(self)
			k.group.prepare(k.config.MaxPollInterval)
		}
		return true, nil
	}})
}

// batch lays records out as kafka does.
func batch(topic string, partition int32, found []Entry, next int64, keys bool) *kafka.Batch {
	b := &kafka.Batch{Topic: topic, Partition: partition, Next: next}
	for _, e := range found {
		b.Offsets = append(b.Offsets, e.Offset)
		b.Timestamps = append(b.Timestamps, e.Timestamp)
		b.Data = append(b.Data, e.Value...)
		b.Ends = append(b.Ends, len(b.Data))
		if keys {
			b.KeyData = append(b.KeyData, e.Key...)
			b.KeyEnds = append(b.KeyEnds, len(b.KeyData))
			b.Null = append(b.Null, e.Value == nil)
		}
	}
	return b
}

// ReadTo is kafka.ReadTo.
func (c *Client) ReadTo(ctx context.Context, rc kafka.ReaderConfig, ranges []kafka.Range, stall time.Duration, fn func(*kafka.Batch) error) error {
	open := slices.DeleteFunc(slices.Clone(ranges), func(r kafka.Range) bool { return r.From >= r.To || r.To <= 0 })
	for len(open) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		var b *kafka.Batch
		at := 0
		err := c.process.Do(sim.Call{
			Name: "reader/read", Until: time.Now().Add(stall),
			Ready: func() bool {
				return slices.ContainsFunc(open, func(r kafka.Range) bool { return r.From < c.cluster.Log(r.Topic, r.Partition).Stable() })
			},
			Try: func() (bool, error) {
				r := c.cluster.world.Rand
				at = r.IntN(len(open))
				for i := range open {
					if o := open[(at+i)%len(open)]; o.From < c.cluster.Log(o.Topic, o.Partition).Stable() {
						at = (at + i) % len(open)
						found, next := c.cluster.Log(o.Topic, o.Partition).read(o.From, 1+r.IntN(40))
						found = slices.DeleteFunc(found, func(e Entry) bool { return e.Offset >= o.To })
						b = batch(o.Topic, o.Partition, found, next, rc.Keys)
						return true, nil
					}
				}
				c.cluster.world.Reach("restore stalled")
				return true, errors.New("nothing came; a transaction may never have ended")
			},
		})
		if err != nil {
			return err
		}
		if b.Len() > 0 {
			if err := fn(b); err != nil {
				return err
			}
		}
		if open[at].From = b.Next; b.Next >= open[at].To {
			open = slices.Delete(open, at, at+1)
		}
	}
	return nil
}
