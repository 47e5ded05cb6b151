package model

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parallax.example/internal/failpoint"
	"parallax.example/internal/kafka"
	"parallax.example/internal/sim"
)

// Producer is a *kafka.Txn of the model.
type Producer struct {
	client *Client
	config kafka.TxnConfig
	name   string
	id     *id
	epoch  int

	taken, open, closed bool
	entered             bool // the coordinator has heard of the open transaction
	ending              bool // its end was asked for, or its offsets failed and nobody knows which end it has
	attempt             *attempt
	queue               []queued
	trouble             error // the open transaction can only be aborted
	fatal               error // nothing can be done with the producer any more
	suspect             bool
}

type queued struct {
	log   *Log
	entry Entry
}

// Producer makes a producer.
func (c *Client) Producer(t kafka.TxnConfig) *Producer {
	return &Producer{client: c, config: t, name: t.ID + "/"}
}

const slow = 2 * time.Second

func (p *Producer) world() *sim.World { return p.client.cluster.world }

// unknown ends the producer with an error that says nothing.
func (p *Producer) unknown(what string) func() error {
	return func() error {
		p.fatal = &kafka.Failure{Outcome: kafka.Unknown, Reason: what + ": no answer"}
		return p.fatal
	}
}

// local is a call that sends nothing.
func (p *Producer) local(what string, do func() error) error {
	return p.client.process.Do(sim.Call{Name: p.name + what, Local: true, Try: func() (bool, error) {
		if p.closed {
			p.world().Fail("%s of the closed producer %s", what, p.config.ID)
		}
		return true, do()
	}})
}

// failed says what keeps the open transaction from going on.
func (p *Producer) failed() error {
	if p.fatal != nil {
		return p.fatal
	}
	return p.trouble
}

// Init is kafka.Txn's.
func (p *Producer) Init(ctx context.Context) error {
	began := time.Now()
	return p.client.process.Do(sim.Call{
		Name: p.name + "init", Lost: p.unknown("init"),
		Sent: func() func() {
			id := p.client.cluster.id(p.config.ID, p.config.Timeout)
			return func() { p.client.cluster.take(id) }
		},
		Try: func() (bool, error) {
			p.id = p.client.cluster.id(p.config.ID, p.config.Timeout)
			if ctx.Err() != nil {
				return true, ctx.Err()
			}
			if p.client.cluster.take(p.id) {
				if time.Since(began) > 2*p.config.Timeout {
					return true, fmt.Errorf("cannot take the id: %w", &kafka.Failure{Outcome: kafka.Retry, Reason: "a transaction is being ended"})
				}
				return false, nil
			}
			p.epoch, p.taken = p.id.epoch, true
			p.client.cluster.producers = append(p.client.cluster.producers, p)
			return true, nil
		},
	})
}

// Begin is kafka.Txn's.
func (p *Producer) Begin() error {
	return p.local("begin", func() error {
		if !p.taken || p.open {
			p.world().Fail("begin of %s, which is in no state for it", p.config.ID)
		}
		if p.fatal != nil {
			return p.fatal
		}
		if p.world().Chance("begin fails") {
			return p.unknown("begin")()
		}
		p.open, p.entered, p.ending, p.trouble, p.attempt = true, false, false, nil, &attempt{}
		return nil
	})
}

// Produce is kafka.Txn's.
func (p *Producer) Produce(r kafka.Record) error {
	return p.local("produce", func() error {
		return p.add(func() []queued {
			return []queued{{p.client.cluster.Log(r.Topic, r.Partition), Entry{Timestamp: r.Timestamp, Key: slices.Clone(r.Key), Value: slices.Clone(r.Value)}}}
		})
	})
}

// ProduceAll is kafka.Txn's.
func (p *Producer) ProduceAll(r *kafka.Records) error {
	return p.local("produce", func() error {
		return p.add(func() (list []queued) {
			for i := range r.Len() {
				one := r.Record(i)
				list = append(list, queued{p.client.cluster.Log(one.Topic, one.Partition), Entry{Key: slices.Clone(one.Key), Value: slices.Clone(one.Value)}})
			}
			return list
		})
	})
}

func (p *Producer) add(list func() []queued) error {
	if !p.open {
		p.world().Fail("records for %s outside a transaction", p.config.ID)
	}
	if p.fatal != nil {
		return p.fatal
	}
	records := list()
	p.attempt.sent += len(records)
	if p.world().Chance("produce fails") {
		kept := p.world().Rand.IntN(len(records) + 1)
		p.queue = append(p.queue, records[:kept]...)
		refused := &kafka.Failure{Outcome: kafka.Abort, Reason: "a record was refused"}
		if !failpoint.Mutant("kafka/refused-committed") {
			p.trouble = refused
		}
		return refused
	}
	p.queue = append(p.queue, records...)
	return nil
}

// menu delivers what is queued, piece by piece.
func (p *Producer) menu(m *sim.Menu) {
	if p.client.process.Dead() {
		if len(p.queue) > 0 && p.world().Chaos && p.failed() == nil {
			rest := *p // what was on its way
			p.world().Later(p.name+"deliver (sent by the dead)", time.Now().Add(p.world().Span()/8), rest.deliver)
		}
		p.retire()
		return
	}
	if len(p.queue) == 0 || p.failed() != nil || p.client.process.Silent() || !p.ready() {
		return
	}
	m.Add(p.client.process.Name+"/"+p.name+"deliver", p.deliver)
}

// ready says that the coordinator lets a transaction of the epoch go on, or refuses.
func (p *Producer) ready() bool {
	return p.epoch != p.id.epoch || p.id.txn == nil || !p.id.txn.ended
}

// deliver appends some records of one partition. Its order stays, that between
// partitions does not.
func (p *Producer) deliver() {
	t, wait, err := p.client.cluster.enter(p.id, p.epoch)
	if err != nil {
		p.fatal = err
		p.world().Reach("fenced in delivery")
		return
	}
	if wait {
		return
	}
	if p.world().Chance("delivery fails") {
		p.trouble = &kafka.Failure{Outcome: kafka.Abort, Reason: "a record was not delivered"}
		p.queue = nil
		return
	}
	p.entered = true
	l := p.queue[p.world().Rand.IntN(len(p.queue))].log
	if !slices.Contains(t.logs, l) {
		t.logs = append(t.logs, l)
	}
	if !slices.Contains(t.attempts, p.attempt) {
		t.attempts = append(t.attempts, p.attempt)
	}
	most, kept := 1+p.world().Rand.IntN(len(p.queue)), p.queue[:0]
	for _, q := range p.queue {
		if q.log != l || most == 0 {
			kept = append(kept, q)
			continue
		}
		most--
		q.entry.Txn = t
		l.append(q.entry)
		t.Records = append(t.Records, Written{p.client.cluster.names[l], q.entry.Key, q.entry.Value})
	}
	p.queue = kept
}

// retry draws whether a request must be repeated by the client, which hides that.
// Whether it took effect, the client does not know.
func (p *Producer) retry(what string, began time.Time, request func() error, react func(error)) (over bool, err error) {
	effect := func() error {
		err := request()
		if err != nil || what == "send offsets" {
			react(err)
		}
		return err
	}
	if time.Since(began) > p.config.Timeout {
		return true, &kafka.Failure{Outcome: kafka.Retry, Reason: what + ": still no answer"}
	}
	if !p.world().Chance("retried " + what) {
		return true, effect()
	}
	p.suspect = true
	switch p.world().Rand.IntN(3) {
	case 0: // it took effect, and the answer was lost
		if err := effect(); err != nil {
			return true, err
		}
	case 1: // it comes late, perhaps after the one that is sent again
		p.world().Later(p.config.ID+" "+what+" (the first one)", time.Now().Add(p.world().Span()/8), func() {
			if request() == nil {
				p.world().Reach("late " + what)
			}
		})
	}
	return false, nil
}

// SendOffsets is kafka.Txn's.
func (p *Producer) SendOffsets(_ string, positions []kafka.Committed, member kafka.GroupMetadata) error {
	began, epoch, a := time.Now(), p.epoch, p.attempt
	proof, _ := member.Proof.(*proof)
	request := func() error {
		return p.client.cluster.addOffsets(p.id, epoch, a, positions, proof, p.client.group)
	}
	err := p.client.process.Do(sim.Call{
		Name: p.name + "send offsets", Ready: p.ready,
		Sent: func() func() { return func() { _ = request() } },
		Lost: func() error {
			p.suspect = true
			if p.world().Rand.IntN(2) == 0 {
				return p.unknown("send offsets")()
			}
			p.trouble = &kafka.Failure{Outcome: kafka.Abort, Reason: "the offsets were not answered"}
			return p.trouble
		},
		Try: func() (bool, error) {
			if !p.open || p.closed {
				p.world().Fail("offsets of %s outside a transaction", p.config.ID)
			}
			if err := p.failed(); err != nil {
				return true, err
			}
			return p.retry("send offsets", began, request, func(err error) {
				switch kafka.Classify(err) {
				case kafka.OK:
					p.entered = true
				case kafka.Abort:
					p.trouble = err
				default:
					p.fatal = err
				}
			})
		},
	})
	p.ending = p.ending || err != nil
	return err
}

// addOffsets is AddOffsetsToTxn and TxnOffsetCommit.
func (c *Cluster) addOffsets(x *id, epoch int, a *attempt, positions []kafka.Committed, proof *proof, name string) error {
	if proof != nil {
		name = proof.group
	}
	g := c.group(name)
	t, wait, err := c.enter(x, epoch)
	if err != nil {
		return err
	}
	if wait {
		return errState
	}
	if err := g.validate(proof); err != nil {
		c.world.Reach("offsets refused")
		return err
	}
	if !slices.Contains(t.attempts, a) {
		t.attempts = append(t.attempts, a)
	}
	for _, position := range positions {
		t.offsets = slices.DeleteFunc(t.offsets, func(o offset) bool { return o.group == g && o.commit.Partition == position.Partition })
		t.offsets = append(t.offsets, offset{g, Commit{position, t}})
		if !slices.Contains(g.pending[position.Partition], t) {
			g.pending[position.Partition] = append(g.pending[position.Partition], t)
		}
	}
	return nil
}

// Commit is kafka.Txn's.
func (p *Producer) Commit() error {
	began, epoch := time.Now(), p.epoch
	p.ending = true
	err := p.client.process.Do(sim.Call{
		Name: p.name + "commit", Ready: p.ready, Lost: p.unknown("commit"), Sent: p.sent(epoch, true),
		Try: func() (bool, error) {
			if !p.open || p.closed {
				p.world().Fail("commit of %s outside a transaction", p.config.ID)
			}
			if err := p.failed(); err != nil {
				return true, err
			}
			if len(p.queue) > 0 {
				p.deliver()
				return false, nil
			}
			return p.retry("commit", began, p.end(epoch, true), p.broken)
		},
	})
	if err == nil {
		p.open = false
		p.suspect = p.suspect || time.Since(began) > slow
	}
	return err
}

// end is the request that ends the transaction.
func (p *Producer) end(epoch int, commit bool) func() error {
	return func() error { return p.client.cluster.end(p.id, epoch, commit) }
}

// sent is the same when it comes late; it is not sent before all records are.
func (p *Producer) sent(epoch int, commit bool) func() func() {
	return func() func() {
		if len(p.queue) > 0 || !p.entered || p.failed() != nil {
			return nil
		}
		return func() {
			if p.end(epoch, commit)() == nil {
				p.world().Reach("late end")
			}
		}
	}
}

func (p *Producer) broken(err error) { p.fatal = err }

// Abort is kafka.Txn's.
func (p *Producer) Abort() error {
	began, epoch := time.Now(), p.epoch
	p.ending = true
	err := p.client.process.Do(sim.Call{
		Name: p.name + "abort", Ready: p.ready, Lost: p.unknown("abort"), Sent: p.sent(epoch, false),
		Try: func() (bool, error) {
			if p.fatal != nil {
				return true, p.fatal
			}
			p.queue = nil
			if !p.entered {
				return true, nil
			}
			return p.retry("abort", began, p.end(epoch, false), p.broken)
		},
	})
	if err == nil {
		p.open, p.trouble = false, nil
	}
	return err
}

// Suspect is kafka.Txn's.
func (p *Producer) Suspect() bool { return p.suspect }

// Close is kafka.Txn's.
func (p *Producer) Close() {
	_ = p.client.process.Do(sim.Call{Name: p.name + "close", Local: true, Try: func() (bool, error) {
		if p.open && p.entered && !p.ending && p.failed() == nil && p.epoch == p.id.epoch {
			p.client.left = append(p.client.left, p.config.ID)
		}
		p.retire()
		return true, nil
	}})
}

func (p *Producer) retire() {
	p.closed, p.queue = true, nil
	list := &p.client.cluster.producers
	*list = slices.DeleteFunc(*list, func(other *Producer) bool { return other == p })
}
