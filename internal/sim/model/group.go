package model

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/sim"
)

// group is a consumer group, as its coordinator knows it.
type group struct {
	name       string
	generation int
	preparing  bool      // a rebalance has begun
	until      time.Time // who has not joined by then is out
	members    []*member // by id
	made       int       // members so far

	commits map[int32]Commit
	pending map[int32][]*Txn // that are about to change a partition's offset
	history []Commit         // in the order in which they became true
}

// Commit is a committed offset and the transaction that committed it.
type Commit struct {
	kafka.Committed
	Txn *Txn
}

// member is a member as the coordinator knows it.
type member struct {
	id       string
	instance string
	consumer *Consumer
	joined   bool    // for the coming generation
	answer   []int32 // its share in the current one; nil once it has it
	seen     time.Time
}

// proof is what a consumer gives for the commit of offsets.
type proof struct {
	group, member string
	generation    int
}

// validate is what the coordinator asks of offsets in a transaction: without any
// proof it asks nothing.
func (g *group) validate(p *proof) error {
	if p == nil {
		return nil
	}
	if m := g.find(p.member); m == nil || p.generation != g.generation {
		return errNoMember
	}
	return nil
}

func (g *group) find(id string) *member {
	for _, m := range g.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (g *group) instance(name string) *member {
	for _, m := range g.members {
		if name != "" && m.instance == name {
			return m
		}
	}
	return nil
}

func (g *group) remove(m *member) {
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
}

// stable says that no transaction is about to change the offsets.
func (g *group) stable(partitions []int32) bool {
	for _, p := range partitions {
		if len(g.pending[p]) > 0 {
			return false
		}
	}
	return true
}

// mark makes the offset of a transaction true, or forgets it.
func (g *group) mark(c Commit, t *Txn) {
	g.pending[c.Partition] = slices.DeleteFunc(g.pending[c.Partition], func(other *Txn) bool { return other == t })
	if t.Committed && g.commits[c.Partition].Committed != c.Committed {
		t.moved = true
		g.commits[c.Partition] = c
		g.history = append(g.history, c)
	}
}

// prepare begins a rebalance.
func (g *group) prepare(patience time.Duration) {
	if !g.preparing {
		g.preparing, g.until = true, time.Now().Add(patience)
	}
}

// join is JoinGroup of a consumer. A static member takes the place of its
// predecessor, and while nothing else happens nobody else notices.
func (g *group) join(k *Consumer) {
	m := g.find(k.member)
	if m == nil {
		g.made++
		m = &member{id: fmt.Sprintf("%s-%d", k.config.Instance, g.made), instance: k.config.Instance, consumer: k, seen: time.Now()}
		old := g.instance(m.instance)
		if old != nil {
			g.remove(old)
		}
		g.members = append(g.members, m)
		slices.SortFunc(g.members, func(a, b *member) int { return strings.Compare(a.id, b.id) })
		k.member = m.id
		if old != nil && !g.preparing {
			m.answer = g.share(m, k.cluster.partitions)
			return
		}
	}
	g.prepare(k.config.MaxPollInterval)
	m.joined, m.seen = true, time.Now()
}

// share is the range that a member gets.
func (g *group) share(m *member, partitions int) []int32 {
	share, n := []int32{}, len(g.members)
	at := slices.Index(g.members, m)
	each, more := partitions/n, partitions%n
	first := at*each + min(at, more)
	if at < more {
		each++
	}
	for p := range each {
		share = append(share, int32(first+p))
	}
	return share
}

// complete ends a rebalance.
func (g *group) complete(partitions int) {
	g.members = slices.DeleteFunc(g.members, func(m *member) bool { return !m.joined })
	g.preparing = false
	g.generation++
	for _, m := range g.members {
		m.joined, m.seen = false, time.Now()
		m.answer = g.share(m, partitions)
	}
}

// menu of the group's coordinator.
func (g *group) menu(m *sim.Menu, c *Cluster) {
	now := time.Now()
	all := true
	for _, member := range g.members {
		all = all && member.joined
		if member.consumer.heard() {
			member.seen = now
			continue
		}
		if member.joined {
			continue // a member that waits for the rebalance does not expire
		}
		until := member.seen.Add(member.consumer.config.SessionTimeout)
		if now.Before(until) {
			m.At(until)
			continue
		}
		m.Add("session of "+member.id+" is over", func() {
			c.world.Reach("session timed out")
			g.remove(member)
			g.prepare(member.consumer.config.MaxPollInterval)
		})
	}
	if !g.preparing {
		return
	}
	if all || !now.Before(g.until) {
		m.Add("rebalance of "+g.name, func() { c.world.Reach("rebalance"); g.complete(c.partitions) })
	} else {
		m.At(g.until)
	}
}
