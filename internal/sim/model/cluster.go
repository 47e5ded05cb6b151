package model

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/sim"
)

// Cluster is the brokers, seen as one.
type Cluster struct {
	world      *sim.World
	topics     map[string]*topic
	partitions int // of a topic that groups read
	names      map[*Log]string
	logs       []*Log // in the order in which they were made
	ids        []*id  // by name
	ending     []*id
	groups     []*group // by name
	consumers  []*Consumer
	producers  []*Producer
	compacted  []*Log
}

type topic struct {
	info kafka.TopicInfo
	logs []*Log
}

// New makes brokers with these topics; the groups' topic has so many partitions.
func New(w *sim.World, partitions int, specs []kafka.TopicSpec) *Cluster {
	c := &Cluster{world: w, partitions: partitions, topics: make(map[string]*topic), names: make(map[*Log]string)}
	for _, s := range specs {
		c.make(s)
	}
	w.Source(c.menu)
	return c
}

func (c *Cluster) make(s kafka.TopicSpec) {
	t := &topic{info: kafka.TopicInfo{Name: s.Name, ID: "id-of-" + s.Name, Partitions: s.Partitions}}
	for p := range s.Partitions {
		l := &Log{}
		c.names[l] = fmt.Sprintf("%s/%d", s.Name, p)
		c.logs = append(c.logs, l)
		t.logs = append(t.logs, l)
		if s.Config["cleanup.policy"] == "compact" {
			c.compacted = append(c.compacted, l)
		}
	}
	c.topics[s.Name] = t
}

// Log returns a partition's log; nil if there is no such topic.
func (c *Cluster) Log(topic string, partition int32) *Log {
	t := c.topics[topic]
	if t == nil {
		return nil
	}
	return t.logs[partition]
}

// Append adds a record outside any transaction, as a plain producer does.
func (c *Cluster) Append(topic string, partition int32, key, value []byte) int64 {
	return c.Log(topic, partition).append(Entry{Key: key, Value: value})
}

// Committed returns what a group has committed in the partition; the offset is -1
// if nothing.
func (c *Cluster) Committed(group string, partition int32) Commit {
	if commit, ok := c.group(group).commits[partition]; ok {
		return commit
	}
	return Commit{Committed: kafka.Committed{Partition: partition, Offset: -1}}
}

// History returns all that a group has committed, in the order in which it became true.
func (c *Cluster) History(group string) []Commit { return c.group(group).history }

// Settled says that no transaction is open.
func (c *Cluster) Settled() bool {
	for _, x := range c.ids {
		if x.txn != nil {
			return false
		}
	}
	return true
}

func (c *Cluster) id(name string, timeout time.Duration) *id {
	i, ok := slices.BinarySearchFunc(c.ids, name, func(x *id, name string) int { return strings.Compare(x.name, name) })
	if !ok {
		c.ids = slices.Insert(c.ids, i, &id{name: name})
	}
	c.ids[i].timeout = timeout
	return c.ids[i]
}

func (c *Cluster) group(name string) *group {
	i, ok := slices.BinarySearchFunc(c.groups, name, func(g *group, name string) int { return strings.Compare(g.name, name) })
	if !ok {
		c.groups = slices.Insert(c.groups, i, &group{name: name, commits: make(map[int32]Commit), pending: make(map[int32][]*Txn)})
	}
	return c.groups[i]
}

func (c *Cluster) menu(m *sim.Menu) {
	c.transactions(m)
	for _, g := range c.groups {
		g.menu(m, c)
	}
	for _, k := range c.consumers {
		k.menu(m)
	}
	for _, p := range slices.Clone(c.producers) { // the dead go
		p.menu(m)
	}
	if c.world.Rand.IntN(20) == 0 && c.world.Chance("compaction") {
		l := c.compacted[c.world.Rand.IntN(len(c.compacted))]
		m.Add("compaction of "+c.names[l], l.compact)
	}
}

// Client is the cluster as one process reaches it.
type Client struct {
	cluster *Cluster
	process *sim.Process
	group   string // of its last consumer
	made    int    // consumers
	left    []string
}

// Client returns what a process reaches the cluster by.
func (c *Cluster) Client(p *sim.Process) *Client { return &Client{cluster: c, process: p} }

// Left returns the transactional ids whose producers were closed with a transaction
// that was open and in order and whose end nobody had asked for, and forgets them.
func (c *Client) Left() []string {
	left := c.left
	c.left = nil
	return left
}

// Admin is a *kafka.Admin of the model.
type Admin struct{ *Client }

// lost is what a plain request fails with.
func lost(what string) func() error {
	return func() error { return &kafka.Failure{Outcome: kafka.Unknown, Reason: what + " timed out"} }
}

// ask makes a request which the brokers answer at once.
func (c *Client) ask(what string, answer func() error) error {
	return c.process.Do(sim.Call{Name: "admin/" + what, Lost: lost(what), Try: func() (bool, error) { return true, answer() }})
}

// Ping is kafka.Admin's.
func (a *Admin) Ping(context.Context) error { return a.ask("ping", func() error { return nil }) }

// EnsureTopics is kafka.Admin's.
func (a *Admin) EnsureTopics(_ context.Context, specs []kafka.TopicSpec) error {
	return a.ask("make topics", func() error {
		for _, s := range specs {
			if a.cluster.topics[s.Name] == nil {
				a.cluster.make(s)
			}
		}
		return nil
	})
}

// DeleteTopic is kafka.Admin's.
func (a *Admin) DeleteTopic(_ context.Context, name string) error {
	return a.ask("delete topic", func() error { delete(a.cluster.topics, name); return nil })
}

// Topic is kafka.Admin's.
func (a *Admin) Topic(_ context.Context, name string) (info kafka.TopicInfo, err error) {
	err = a.ask("topic", func() error {
		t := a.cluster.topics[name]
		if t == nil {
			return fmt.Errorf("cannot describe topic %q: %w", name, kafka.ErrNoTopic)
		}
		info = t.info
		return nil
	})
	return info, err
}

// Offsets is kafka.Admin's.
func (a *Admin) Offsets(_ context.Context, topic string, partitions []int32) (ends []kafka.Offsets, err error) {
	err = a.ask("offsets", func() error {
		ends = make([]kafka.Offsets, len(partitions))
		for i, p := range partitions {
			l := a.cluster.Log(topic, p)
			ends[i] = kafka.Offsets{Partition: p, Stable: l.Stable(), High: l.End()}
		}
		return nil
	})
	return ends, err
}

// Committed is kafka.Admin's.
func (a *Admin) Committed(_ context.Context, group, _ string, partitions []int32) ([]kafka.Committed, error) {
	return a.committed("admin/committed", group, partitions, 5*time.Second)
}

// GroupTopics is kafka.Admin's. There is only one deployment here.
func (a *Admin) GroupTopics(context.Context, string) ([]string, error) { return nil, nil }

// committed waits until the offsets are stable.
func (c *Client) committed(name, group string, partitions []int32, patience time.Duration) (answer []kafka.Committed, err error) {
	g := c.cluster.group(group)
	err = c.process.Do(sim.Call{
		Name: name, Until: time.Now().Add(patience),
		Ready: func() bool { return g.stable(partitions) },
		Lost:  func() error { return &kafka.Failure{Outcome: kafka.Retry, Reason: "the coordinator does not answer"} },
		Try: func() (bool, error) {
			if !g.stable(partitions) {
				c.cluster.world.Reach("offsets not stable")
				return true, &kafka.Failure{Outcome: kafka.Retry, Reason: "a transaction is about to change the offsets"}
			}
			answer = make([]kafka.Committed, len(partitions))
			for i, p := range partitions {
				answer[i] = c.cluster.Committed(group, p).Committed
			}
			return true, nil
		},
	})
	return answer, err
}

// Close is kafka.Admin's.
func (a *Admin) Close() {}
