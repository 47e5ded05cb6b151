package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/services/batch/ingest"
)

const child = "INGEST_TEST_CHILD" // the broker's address, in a process that is to be killed

func TestMain(m *testing.M) {
	if addr := os.Getenv(child); addr != "" {
		w := &world{folder: os.Getenv(child + "_LAKE"), client: kafka.Config{Brokers: addr}}
		c := w.config(os.Getenv(child + "_GROUP"))
		c.Rows = 20
		g, err := ingest.New(c, ingest.Deps{})
		if err == nil {
			err = g.Run(context.Background())
		}
		fmt.Fprintln(os.Stderr, "the child ended by itself:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Killed at whatever instruction, an ingester leaves a lake that readers can
// read and that the next one goes on with.
func TestKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(recording(6000)...)
	d, err := lake.Create(w.folder)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	manifests := func() (n int) {
		chains, err := d.Chains(w.topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range chains {
			n += len(c.Manifests)
		}
		return n
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), child+"="+w.client.Brokers, child+"_LAKE="+w.folder, fmt.Sprintf("%s_GROUP=group-%d", child, i))
		cmd.Stderr = os.Stderr
		before := manifests()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		more := random.IntN(12)
		wait(t, func() bool { return manifests() > before+more })
		time.Sleep(time.Duration(random.IntN(5000)) * time.Microsecond) // anywhere in a commit
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		w.lake()       // whole, whatever was under way
	}
	if next := manifests(); next >= 300 {
		t.Fatalf("all was done after %d manifests: nothing was killed in the middle", next)
	}
	left, err := d.Orphans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d manifests, and %d files that nobody names", manifests(), len(left))
	w.toEnd(w.config("last"))
	w.mustHold()
}

// A topic that is made again while an ingester runs stops it, and nothing of
// the new topic gets into the old one's chain.
func TestTopicMadeAgain(t *testing.T) {
	t.Parallel()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	topics := kafka.NewTopics("parallax")
	w := &world{t: t, client: kafka.Config{Brokers: b.Addr()}, topic: topics.Events, folder: t.TempDir()}
	begin := func() {
		if w.admin, err = kafka.NewAdmin(w.client); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.admin.Close)
		if err := w.admin.EnsureTopics(t.Context(), topics.Specs(partitions, 1)); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	w.send(recording(300)...)
	g := w.ingester(w.config("a"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	wait(t, func() bool { return g.Counters().Manifests.Load() >= 3 })
	rows := len(w.lake().Rows)

	b.Close()
	if b, err = broker.Start(broker.Config{Addr: w.client.Brokers}); err != nil {
		t.Fatal(err)
	}
	begin()
	w.send(recording(900)...)
	err = <-done
	if err == nil || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Fatalf("the ingest went on: %v", err)
	}
	t.Log(err)
	if now := len(w.lake().Rows); now != rows {
		t.Errorf("%d rows of the new topic are in the old one's lake", now-rows)
	}
}
