package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parallax.example/internal/kafka"
)

// member is a group member which notes what happens to it.
type member struct {
	*kafka.Consumer
	owned    []int32
	revoked  int
	lost     int
	next     map[int32]int64
	ended    map[int32]bool
	received map[int32][]string
}

func join(t *testing.T, c kafka.Config, topic, group, instance string, edit func(*kafka.GroupConfig)) *member {
	t.Helper()
	m := &member{next: map[int32]int64{}, ended: map[int32]bool{}, received: map[int32][]string{}}
	g := kafka.GroupConfig{
		Group: group, Topic: topic, Instance: instance, SessionTimeout: 6 * time.Second,
		OnAssigned: func(parts []int32) ([]int64, error) {
			m.owned = slices.Clone(parts)
			return make([]int64, len(parts)), nil // from offset 0
		},
		OnRevoked: func(_ []int32, lost bool) {
			m.owned = nil
			m.revoked++
			if lost {
				m.lost++
			}
		},
	}
	if edit != nil {
		edit(&g)
	}
	var err error
	m.Consumer, err = kafka.NewConsumer(c, g)
	must(t, err)
	return m
}

// poll takes what there is.
func (m *member) poll(t *testing.T) {
	t.Helper()
	batches, err := m.Poll(50 * time.Millisecond)
	must(t, err)
	for _, b := range batches {
		for i := range b.Len() {
			m.received[b.Partition] = append(m.received[b.Partition], string(b.Value(i)))
		}
		m.next[b.Partition], m.ended[b.Partition] = b.Next, b.AtEnd
	}
}

func until(t *testing.T, what string, done func() bool, members ...*member) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); {
		for _, m := range members {
			m.poll(t)
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestConsumerOrderAndEnd(t *testing.T) {
	c := start(t)
	eachPath(t, func(t *testing.T, path kafka.FetchPath) { orderAndEnd(t, c, path) })
}

func orderAndEnd(t *testing.T, c kafka.Config, path kafka.FetchPath) {
	events := topic(t, c, "events-"+path.String(), 2)
	var want [2][]string
	for i := range 5000 {
		want[i%2] = append(want[i%2], fmt.Sprint(i))
	}
	send(t, c, events, 0, want[0]...)
	send(t, c, events, 1, want[1]...)
	m := join(t, c, events, "g-"+path.String(), "slot-0", func(g *kafka.GroupConfig) { g.MaxRecords, g.Fetch = 100, path })
	defer m.Close()
	until(t, "both ends", func() bool { return m.ended[0] && m.ended[1] }, m)
	for p := range int32(2) {
		if !slices.Equal(m.received[p], want[p]) || m.next[p] != 2500 {
			t.Errorf("partition %d: %d records, next %d", p, len(m.received[p]), m.next[p])
		}
	}
	// Seek goes back, and nothing from before the seek comes after it.
	must(t, m.Seek(1, 2490))
	m.received[1], m.ended[1] = nil, false
	until(t, "the end again", func() bool { return m.ended[1] }, m)
	if !slices.Equal(m.received[1], want[1][2490:]) {
		t.Errorf("after the seek: %q", m.received[1])
	}
}

func TestPollWaitsForNothing(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 1)
	m := join(t, c, events, "g", "s", nil)
	defer m.Close()
	until(t, "the empty end", func() bool { return m.ended[0] }, m)
	if m.next[0] != 0 {
		t.Errorf("an empty partition ends at %d", m.next[0])
	}
}

func TestOffsetsInTransactionRoundTrip(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 2)
	send(t, c, events, 0, "a", "b")
	m := join(t, c, events, "g", "s", nil)
	defer m.Close()
	if _, err := m.Metadata(); err == nil {
		t.Error("metadata before an assignment would not be checked by the coordinator")
	}
	until(t, "assignment", func() bool { return len(m.owned) == 2 }, m)
	x := ready(t, c, "t-0")
	proof, err := m.Metadata()
	must(t, err)
	meta := strings.Repeat("m", 300) + "=="
	must(t, x.Begin(), x.SendOffsets(events, []kafka.Committed{{Partition: 0, Offset: 2, Metadata: meta}}, proof))

	// While the transaction is open the offset is not stable: asking waits.
	if got, err := m.Committed([]int32{0, 1}, 300*time.Millisecond); err == nil {
		t.Errorf("pending offsets were answered: %+v", got)
	} else {
		t.Logf("pending: %v", err)
	}
	a := admin(t, c)
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if got, err := a.Committed(soon, "g", events, []int32{0}); err == nil {
		t.Errorf("pending offsets were answered to admin: %+v", got)
	}
	waited := make(chan []kafka.Committed, 1)
	go func() {
		got, err := a.Committed(t.Context(), "g", events, []int32{0})
		if err != nil {
			t.Error(err)
		}
		waited <- got
	}()
	must(t, x.Commit())
	equal(t, "what admin waited for", <-waited, []kafka.Committed{{0, 2, meta}})
	want := []kafka.Committed{{0, 2, meta}, {1, -1, ""}}
	got, err := m.Committed([]int32{0, 1}, patience)
	must(t, err)
	equal(t, "committed", got, want)
	got, err = admin(t, c).Committed(t.Context(), "g", events, []int32{1, 0})
	must(t, err)
	equal(t, "committed by admin", got, []kafka.Committed{want[1], want[0]})

	proof, err = m.Metadata()
	must(t, err)
	must(t, x.Begin(), x.SendOffsets(events, []kafka.Committed{{Partition: 0, Offset: 1}}, proof), x.Abort())
	got, err = m.Committed([]int32{0}, patience)
	must(t, err)
	equal(t, "after the abort", got, want[:1])
}

func TestGroupThatDoesNotExist(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 2)
	got, err := admin(t, c).Committed(t.Context(), "nobody", events, []int32{1, 0})
	must(t, err)
	equal(t, "committed", got, []kafka.Committed{{1, -1, ""}, {0, -1, ""}})
}

func TestStaleGenerationIsRefused(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 2)
	first := join(t, c, events, "g", "slot-0", nil)
	defer first.Close()
	until(t, "first has both", func() bool { return len(first.owned) == 2 }, first)
	stale, err := first.Metadata()
	must(t, err)
	second := join(t, c, events, "g", "slot-1", nil)
	defer second.Close()
	until(t, "they share", func() bool { return len(first.owned) == 1 && len(second.owned) == 1 }, first, second)
	if first.revoked != 1 || first.owned[0] == second.owned[0] {
		t.Errorf("first: %d revokes, owns %v; second owns %v", first.revoked, first.owned, second.owned)
	}
	x := ready(t, c, "t")
	must(t, x.Begin())
	err = x.SendOffsets(events, []kafka.Committed{{Partition: 0, Offset: 1}}, stale)
	if got := kafka.Classify(err); got != kafka.Abort {
		t.Errorf("stale generation: %v is %v", err, got)
	}
	if err := x.Commit(); kafka.Classify(err) != kafka.Abort {
		t.Errorf("commit after refused offsets: %v is %v", err, kafka.Classify(err))
	}
	must(t, x.Abort())
	got, err := first.Committed([]int32{0}, patience)
	must(t, err)
	equal(t, "committed", got, []kafka.Committed{{0, -1, ""}})
}

func TestAssignmentErrorComesBack(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 1)
	reason := errors.New("the state does not fit")
	m := join(t, c, events, "g", "s", func(g *kafka.GroupConfig) {
		g.OnAssigned = func([]int32) ([]int64, error) { return nil, reason }
	})
	defer m.Close()
	for end := time.Now().Add(patience); ; {
		_, err := m.Poll(50 * time.Millisecond)
		if errors.Is(err, reason) {
			return
		}
		must(t, err)
		if time.Now().After(end) {
			t.Fatal("the callback's error was swallowed")
		}
	}
}

func TestDynamicMemberLeavesAtOnce(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 2)
	first := join(t, c, events, "g", "", nil)
	second := join(t, c, events, "g", "", nil)
	defer second.Close()
	until(t, "they share", func() bool { return len(first.owned) == 1 && len(second.owned) == 1 }, first, second)
	must(t, first.Close())
	if first.revoked == 0 {
		t.Error("Close did not revoke")
	}
	began := time.Now()
	until(t, "second has both", func() bool { return len(second.owned) == 2 }, second)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestStaticMemberComesBackToItsPartitions(t *testing.T) {
	c := start(t)
	events := topic(t, c, "events", 2)
	first := join(t, c, events, "g", "slot-0", nil)
	second := join(t, c, events, "g", "slot-1", nil)
	defer second.Close()
	until(t, "they share", func() bool { return len(first.owned) == 1 && len(second.owned) == 1 }, first, second)
	place := first.owned[0]
	must(t, first.Close())
	again := join(t, c, events, "g", "slot-0", nil)
	defer again.Close()
	revoked := second.revoked
	until(t, "back", func() bool { return len(again.owned) == 1 }, again, second)
	if again.owned[0] != place {
		t.Errorf("came back to %v, had %d", again.owned, place)
	}
	t.Logf("the other member was revoked %d times meanwhile", second.revoked-revoked)
}
