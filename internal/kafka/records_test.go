package kafka_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"parallax.example/internal/kafka"
)

// oneByOne is what ProduceAll must equal.
func oneByOne(x *kafka.Txn, r *kafka.Records) error {
	start := 0
	for _, e := range r.Entries {
		one := kafka.Record{Topic: r.Topics[e.Topic], Partition: r.Partition, Key: []byte{}, Value: []byte{}}
		if one.Key = append(one.Key, r.Data[start:e.KeyEnd]...); e.Keyless {
			one.Key = nil
		}
		if one.Value = append(one.Value, r.Data[e.KeyEnd:e.ValueEnd]...); e.Tombstone {
			one.Value = nil
		}
		if err := x.Produce(one); err != nil {
			return err
		}
		start = e.ValueEnd
	}
	return nil
}

// transact runs a transaction to its end, again if the client gave it up: right
// after an abort librdkafka now and then does (its issue 4849).
func transact(t *testing.T, x *kafka.Txn, again func() *kafka.Txn, abort bool, add func(*kafka.Txn) error) *kafka.Txn {
	t.Helper()
	for range 5 {
		err := x.Begin()
		if err == nil {
			err = add(x)
		}
		if err == nil && !abort {
			err = x.Commit()
		}
		if err == nil && !abort {
			return x
		}
		if err != nil && kafka.Classify(err) == kafka.Unknown { // see TestStuckAfterAnAbort
			x = again()
			continue
		}
		if err != nil && kafka.Classify(err) != kafka.Abort {
			t.Fatal(err)
		}
		must(t, x.Abort())
		if abort && err == nil {
			return x
		}
	}
	t.Fatal("five transactions were given up")
	return nil
}

func TestProduceAllWritesTheSame(t *testing.T) {
	c := start(t)
	ways := []func(*kafka.Txn, *kafka.Records) error{oneByOne, (*kafka.Txn).ProduceAll}
	var logs [][][]row
	for w, produce := range ways {
		r := rand.New(rand.NewPCG(6, 6)) // the same for each
		topics := make([]string, 3)
		for i := range topics {
			topics[i] = topic(t, c, fmt.Sprintf("out-%d-%d", w, i), 2)
		}
		again := func() *kafka.Txn { return ready(t, c, fmt.Sprint("writer-", w)) }
		x := again()
		for range 30 {
			lists := make([]kafka.Records, r.IntN(3))
			for i := range lists {
				list := &lists[i]
				list.Topics, list.Partition = topics, r.Int32N(2)
				for range r.IntN(700) {
					list.Add(r.IntN(len(topics)), randomBytes(r, 0), randomBytes(r, 20_000))
				}
			}
			x = transact(t, x, again, r.IntN(3) == 0, func(x *kafka.Txn) (err error) {
				for i := 0; i < len(lists) && err == nil; i++ {
					err = produce(x, &lists[i])
				}
				return err
			})
		}
		var all [][]row
		for _, topic := range topics {
			all = append(all, readAll(t, c, topic, 2, kafka.ReaderConfig{})...)
		}
		logs = append(logs, all)
	}
	records := 0
	for i := range logs[0] {
		sameRows(t, fmt.Sprintf("log %d", i), content(logs[1][i]), content(logs[0][i]))
		records += len(logs[0][i])
	}
	if records < 1000 {
		t.Errorf("only %d records were compared", records)
	}
}

// More than the client's queue takes: what did not fit must follow, in order.
func TestProduceAllWaitsForRoom(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	x := ready(t, c, "writer")
	list := kafka.Records{Topics: []string{out}}
	const n, size = 300, 400_000 // 120 MB, twice the queue
	filler := strings.Repeat("x", size)
	for i := range n {
		list.Add(0, fmt.Append(nil, i), []byte(filler))
	}
	must(t, x.Begin(), x.ProduceAll(&list), x.Commit())
	next := 0
	must(t, kafka.ReadTo(t.Context(), c, kafka.ReaderConfig{Keys: true}, []kafka.Range{{Topic: out, To: n}}, patience, func(b *kafka.Batch) error {
		for i := range b.Len() {
			if string(b.Key(i)) != fmt.Sprint(next) || len(b.Value(i)) != size {
				t.Fatalf("record %d has key %q and %d bytes", next, b.Key(i), len(b.Value(i)))
			}
			next++
		}
		return nil
	}))
	if next != n {
		t.Errorf("%d records of %d", next, n)
	}
}

func TestProduceAllRefuses(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	x := ready(t, c, "writer")
	list := kafka.Records{Topics: []string{out}}
	must(t, x.Begin(), x.ProduceAll(&list), x.Commit()) // nothing is fine

	list.Add(0, nil, []byte("small"))
	list.Add(0, nil, make([]byte, 1_000_000))
	var tooLarge *kafka.TooLargeError
	must(t, x.Begin())
	if err := x.ProduceAll(&list); !errors.As(err, &tooLarge) || kafka.Classify(err) != kafka.Abort {
		t.Errorf("too large: %v is %v", err, kafka.Classify(err))
	}
	if err := x.Commit(); kafka.Classify(err) != kafka.Abort {
		t.Errorf("an incomplete transaction was committed: %v", err)
	}
	must(t, x.Abort())

	list.Reset()
	list.Add(0, nil, []byte("fine"))
	for _, partition := range []int32{0, 7} { // outside of a transaction; to a partition that is not there
		list.Partition = partition
		if partition == 7 {
			must(t, x.Begin())
		}
		one, all := oneByOne(x, &list), x.ProduceAll(&list)
		if one == nil || all == nil || one.Error() != all.Error() || kafka.Classify(one) != kafka.Classify(all) {
			t.Errorf("partition %d: one by one: %v is %v; all: %v is %v", partition, one, kafka.Classify(one), all, kafka.Classify(all))
		}
	}
	must(t, x.Abort())
	equal(t, "visible", visible(t, c, out, 0), []string(nil))
}

func TestProduceAllIsFenced(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	list := kafka.Records{Topics: []string{out}}
	list.Add(0, nil, []byte("zombie"))
	old := ready(t, c, "same")
	must(t, old.Begin(), old.ProduceAll(&list), old.Commit(), old.Begin())
	young := ready(t, c, "same")
	err := old.ProduceAll(&list)
	if err == nil {
		err = old.Commit()
	}
	if got := kafka.Classify(err); got != kafka.Fenced {
		t.Errorf("%v is %v", err, got)
	}
	must(t, young.Begin(), young.ProduceAll(&list), young.Commit())
	equal(t, "visible", visible(t, c, out, 0), []string{"zombie", "zombie"})
}

func TestRecordsOutOfOrderAreABug(t *testing.T) {
	c := start(t)
	x := ready(t, c, "writer")
	for _, e := range [][]kafka.Entry{
		{{KeyEnd: 2, ValueEnd: 1}},
		{{KeyEnd: 1, ValueEnd: 9}},
		{{KeyEnd: 1, ValueEnd: 2, Topic: 1}},
		{{KeyEnd: 1, ValueEnd: 2, Topic: -1}},
		{{KeyEnd: 1, ValueEnd: 2, Keyless: true}},
		{{KeyEnd: 1, ValueEnd: 2, Tombstone: true}},
		{{KeyEnd: 1, ValueEnd: 2}, {KeyEnd: 1, ValueEnd: 3}},
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: record") {
					t.Errorf("%+v: %v", e, r)
				}
			}()
			t.Errorf("%+v: %v", e, x.ProduceAll(&kafka.Records{Topics: []string{"out"}, Data: []byte("abc"), Entries: e}))
		}()
	}
}

// A producer that could not be replaced is closed by its owner once more. (The
// topics were given back to the library a second time then, which ended the process.)
func TestCloseTwice(t *testing.T) {
	c := start(t)
	x := ready(t, c, "writer")
	list := kafka.Records{Topics: []string{topic(t, c, "out", 1)}}
	list.Add(0, nil, []byte("v"))
	must(t, x.Begin(), x.ProduceAll(&list), x.Commit())
	x.Close()
	x.Close()
}
