package model_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parallax.example/internal/kafka"
	"parallax.example/internal/sim"
	"parallax.example/internal/sim/model"
)

const timeout = 2 * time.Second

// with runs a program against the model, without faults.
func with(t *testing.T, program func(*model.Cluster, *model.Client) error) {
	t.Helper()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			w := sim.New(seed, sim.NewCoverage(), nil)
			w.Chaos = false
			c := model.New(w, 1, []kafka.TopicSpec{{Name: "in", Partitions: 1}, {Name: "out", Partitions: 1}})
			over := false
			w.Start("p", func(p *sim.Process) error { return program(c, c.Client(p)) }, func(err error) {
				over = true
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			})
			if err := w.Run("end", func() bool { return over && c.Settled() }, time.Hour, 10_000); err != nil {
				t.Error(err)
			}
			w.End()
		})
	}
}

// begun is a producer with an open transaction that holds a record.
func begun(c *model.Client, value string) (*model.Producer, error) {
	p := c.Producer(kafka.TxnConfig{ID: "id", Timeout: timeout})
	return p, errors.Join(p.Init(context.Background()), p.Begin(), p.Produce(kafka.Record{Topic: "out", Value: []byte(value)}))
}

func visible(c *model.Cluster) string {
	var list []string
	for _, e := range c.Log("out", 0).Read() {
		list = append(list, string(e.Value))
	}
	return strings.Join(list, " ")
}

// A successor's Init ends what its predecessor left open, and fences it.
func TestInitFences(t *testing.T) {
	with(t, func(c *model.Cluster, client *model.Client) error {
		old, err := begun(client, "old")
		if err != nil {
			return err
		}
		young, err := begun(client, "young")
		if err != nil {
			return err
		}
		if err := old.Commit(); kafka.Classify(err) != kafka.Fenced {
			return errors.Join(errors.New("the old one was not fenced"), err)
		}
		if err := young.SendOffsets("in", []kafka.Committed{{Offset: 1}}, kafka.GroupMetadata{}); err != nil {
			return err
		}
		if err := young.Commit(); err != nil {
			return err
		}
		if err := young.Init(context.Background()); err != nil { // when this returns, all markers are there
			return err
		}
		if got := visible(c); got != "young" || c.Committed("", 0).Offset != 1 {
			return errors.New("visible is " + got)
		}
		return nil
	})
}

// What is aborted is not seen, nor what is open, nor what comes after that.
func TestIsolation(t *testing.T) {
	with(t, func(c *model.Cluster, client *model.Client) error {
		p, err := begun(client, "aborted")
		if err := errors.Join(err, p.Abort(), p.Begin(), p.Produce(kafka.Record{Topic: "out", Value: []byte("committed")}), p.Commit(), p.Init(context.Background())); err != nil {
			return err
		}
		if got := visible(c); got != "committed" {
			return errors.New("visible is " + got)
		}
		return nil
	})
}

// A transaction that is open for too long is aborted, and its producer fenced.
func TestTimeout(t *testing.T) {
	with(t, func(c *model.Cluster, client *model.Client) error {
		p, err := begun(client, "late")
		if err != nil {
			return err
		}
		if err := p.SendOffsets("in", nil, kafka.GroupMetadata{}); err != nil {
			return err
		}
		time.Sleep(2 * timeout)
		if err := p.Commit(); kafka.Classify(err) != kafka.Fenced || visible(c) != "" {
			return errors.Join(errors.New("it was not fenced, visible is "+visible(c)), err)
		}
		return nil
	})
}

// Offsets of a member that the group does not know are refused.
func TestForeignMember(t *testing.T) {
	with(t, func(_ *model.Cluster, client *model.Client) error {
		given := 0
		k := client.Consumer(kafka.GroupConfig{Group: "g", Topic: "in", SessionTimeout: 3 * time.Second, MaxPollInterval: time.Minute, MaxRecords: 10,
			OnAssigned: func(p []int32) ([]int64, error) { given = len(p); return make([]int64, len(p)), nil },
			OnRevoked:  func([]int32, bool) { given = 0 }})
		for given == 0 {
			if _, err := k.Poll(100 * time.Millisecond); err != nil {
				return err
			}
		}
		proof, err := k.Metadata()
		if err != nil {
			return err
		}
		if err := k.Close(); err != nil {
			return err
		}
		p, err := begun(client, "x")
		if err != nil {
			return err
		}
		if err := p.SendOffsets("in", []kafka.Committed{{Offset: 1}}, proof); kafka.Classify(err) != kafka.Abort {
			return errors.Join(errors.New("the offsets of a member that left were taken"), err)
		}
		return p.Abort()
	})
}
