package model

import (
	"fmt"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/sim"
)

// id is a transactional id, as the coordinator knows it.
type id struct {
	name    string
	epoch   int
	timeout time.Duration
	txn     *Txn // ongoing or ending
	last    *Txn // that has ended in this epoch
}

// Txn is a transaction as the brokers see it: what came between two ends of one
// epoch.
type Txn struct {
	ID        string
	Committed bool
	ended     bool // the decision is written; markers are on their way
	began     time.Time
	logs      []*Log
	offsets   []offset
	moved     bool       // a committed offset is another one by it
	attempts  []*attempt // of clients, that are in it; more than one is a torn one
	Records   []Written  // in the order in which they came
}

// Written is a record of a transaction.
type Written struct {
	Log        string // topic/partition
	Key, Value []byte // nil is null
}

// offset is one that the transaction commits.
type offset struct {
	group  *group
	commit Commit
}

// attempt is a transaction as a client sees it.
type attempt struct {
	sent int // records handed over by the program
}

var (
	errFenced   = &kafka.Failure{Outcome: kafka.Fenced, Reason: "another producer has the transactional id"}
	errState    = &kafka.Failure{Outcome: kafka.Unknown, Reason: "the transaction is in another state"}
	errNoMember = &kafka.Failure{Outcome: kafka.Abort, Reason: "the group does not know this member or its generation"}
)

// take is InitProducerId: wait says to ask again, since a transaction of the
// predecessor is being ended.
func (c *Cluster) take(x *id) (wait bool) {
	if x.txn != nil {
		if !x.txn.ended {
			x.epoch++
			c.decide(x, false)
		}
		return true
	}
	x.epoch++
	x.last = nil
	return false
}

// join lets a request of an epoch into the transaction; wait says that the last
// one is still being ended.
func (c *Cluster) enter(x *id, epoch int) (t *Txn, wait bool, err error) {
	if epoch != x.epoch {
		return nil, false, errFenced
	}
	if x.txn == nil {
		x.txn = &Txn{ID: x.name, began: time.Now()}
	}
	return x.txn, x.txn.ended, nil
}

// end is EndTxn.
func (c *Cluster) end(x *id, epoch int, commit bool) error {
	switch {
	case epoch != x.epoch:
		return errFenced
	case x.txn != nil && !x.txn.ended:
		c.decide(x, commit)
	case x.txn != nil && x.txn.Committed == commit: // asked again
	case x.txn == nil && x.last != nil && x.last.Committed == commit: // likewise
	default:
		return errState
	}
	return nil
}

// decide writes how a transaction ends. Nobody sees it before its markers.
func (c *Cluster) decide(x *id, commit bool) {
	t := x.txn
	t.ended, t.Committed = true, commit
	c.ending = append(c.ending, x)
}

// menu of the transaction coordinator.
func (c *Cluster) transactions(m *sim.Menu) {
	for _, x := range c.ending {
		t := x.txn
		for i, l := range t.logs {
			m.Add(fmt.Sprintf("marker of %s for %s", t.ID, c.names[l]), func() {
				l.mark(t)
				t.logs = append(t.logs[:i], t.logs[i+1:]...)
				c.settled(x)
			})
		}
		for i, o := range t.offsets {
			m.Add(fmt.Sprintf("marker of %s for the offsets", t.ID), func() {
				o.group.mark(o.commit, t)
				t.offsets = append(t.offsets[:i], t.offsets[i+1:]...)
				c.settled(x)
			})
		}
		if len(t.logs)+len(t.offsets) == 0 {
			m.Add("end of "+t.ID, func() { c.settled(x) })
		}
	}
	for _, x := range c.ids {
		if x.txn == nil || x.txn.ended {
			continue
		}
		until := x.txn.began.Add(x.timeout)
		if time.Now().Before(until) {
			m.At(until)
			continue
		}
		m.Add("timeout of "+x.name, func() {
			c.world.Reach("transaction timed out")
			x.epoch++
			c.decide(x, false)
		})
	}
}

// settled ends the transaction if all markers are there.
func (c *Cluster) settled(x *id) {
	t := x.txn
	if len(t.logs)+len(t.offsets) > 0 {
		return
	}
	x.txn, x.last = nil, t
	for i, other := range c.ending {
		if other == x {
			c.ending = append(c.ending[:i], c.ending[i+1:]...)
			break
		}
	}
	if t.Committed {
		c.whole(t)
	}
}

// whole looks whether a committed transaction is what a program has made of it.
func (c *Cluster) whole(t *Txn) {
	if len(t.Records) == 0 && !t.moved {
		return // an offset that came late, and then the second request for its commit: it says the same again
	}
	if len(t.attempts) > 1 {
		c.world.Fail("transaction of %s is torn: it holds records of %d transactions of its producer", t.ID, len(t.attempts))
	}
	for _, a := range t.attempts {
		if a.sent != len(t.Records) {
			c.world.Fail("transaction of %s is torn: %d of %d records are in it", t.ID, len(t.Records), a.sent)
		}
	}
}
