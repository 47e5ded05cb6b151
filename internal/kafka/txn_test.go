package kafka_test

import (
	"testing"
	"time"

	"parallax.example/internal/broker"
	"parallax.example/internal/kafka"
)

func TestTransactionVisibility(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	x := ready(t, c, "one")
	r := func(v string) kafka.Record { return kafka.Record{Topic: out, Value: []byte(v)} }

	must(t, x.Begin(), x.Produce(r("a")))
	stored(t, c, out, 1)
	equal(t, "before commit", visible(t, c, out, 0), []string(nil))
	must(t, x.Commit())
	equal(t, "after commit", visible(t, c, out, 0), []string{"a"})
	must(t, x.Begin(), x.Produce(r("b")))
	stored(t, c, out, 3)
	must(t, x.Abort())
	must(t, x.Begin(), x.Produce(r("c")), x.Commit())
	equal(t, "abort is invisible", visible(t, c, out, 0), []string{"a", "c"})

	// The log ends with a marker: reading to the high watermark must pass it.
	o, err := admin(t, c).Offsets(t.Context(), out, []int32{0})
	must(t, err)
	if o[0].High != 6 || o[0].Stable != 6 {
		t.Errorf("three records and three markers: %+v", o[0])
	}
	if x.Suspect() {
		t.Error("suspect after nothing but success")
	}
}

// stored waits until partition 0 ends at high, with its last record still in an
// open transaction.
func stored(t *testing.T, c kafka.Config, topic string, high int64) {
	t.Helper()
	a := admin(t, c)
	for end := time.Now().Add(patience); ; {
		o, err := a.Offsets(t.Context(), topic, []int32{0})
		must(t, err)
		if o[0].High == high {
			if o[0].Stable != high-1 {
				t.Fatalf("an open transaction is stable: %+v", o[0])
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the record did not arrive: %+v", o[0])
		}
	}
}

func TestEmptyTransactions(t *testing.T) {
	c := start(t)
	x := ready(t, c, "empty")
	must(t, x.Begin(), x.Commit(), x.Begin(), x.Abort(), x.Begin(), x.Commit())
}

func TestSecondProducerFencesTheFirst(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	r := kafka.Record{Topic: out, Value: []byte("x")}
	old := ready(t, c, "same")
	must(t, old.Begin(), old.Produce(r), old.Commit(), old.Begin(), old.Produce(r))
	young := ready(t, c, "same") // settles what the first left open
	err := old.Commit()
	if got := kafka.Classify(err); got != kafka.Fenced {
		t.Errorf("commit of the fenced producer: %v is %v", err, got)
	}
	must(t, young.Begin(), young.Produce(kafka.Record{Topic: out, Value: []byte("young")}), young.Commit())
	equal(t, "visible", visible(t, c, out, 0), []string{"x", "young"})
}

func TestFencedOnFirstProduce(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	old := ready(t, c, "same")
	ready(t, c, "same")
	err := old.Begin()
	if err == nil {
		err = old.Produce(kafka.Record{Topic: out, Value: []byte("zombie")})
	}
	if err == nil {
		err = old.Commit()
	}
	if got := kafka.Classify(err); got != kafka.Fenced {
		t.Errorf("%v is %v", err, got)
	}
	equal(t, "visible", visible(t, c, out, 0), []string(nil))
}

func TestTransactionTimeout(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	x, err := kafka.NewTxn(c, kafka.TxnConfig{ID: "slow", Timeout: time.Second})
	must(t, err)
	defer x.Close()
	must(t, x.Init(t.Context()), x.Begin(), x.Produce(kafka.Record{Topic: out, Value: []byte("late")}))
	// The broker gives the transaction up; seen by the abort marker.
	a := admin(t, c)
	for end := time.Now().Add(patience); ; {
		o, err := a.Offsets(t.Context(), out, []int32{0})
		must(t, err)
		if o[0].Stable == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("never aborted: %+v", o[0])
		}
		time.Sleep(20 * time.Millisecond)
	}
	err = x.Commit()
	if got := kafka.Classify(err); got == kafka.OK || got == kafka.Retry {
		t.Errorf("commit of a transaction that was given up: %v is %v", err, got)
	}
	t.Logf("%v is %v", err, kafka.Classify(err))
	equal(t, "visible", visible(t, c, out, 0), []string(nil))
	y := ready(t, c, "slow")
	must(t, y.Begin(), y.Produce(kafka.Record{Topic: out, Value: []byte("again")}), y.Commit())
	equal(t, "visible", visible(t, c, out, 0), []string{"again"})
}

// What waits for a broker is bounded, and a transaction may still be larger.
func TestQueueOfATransaction(t *testing.T) {
	b, err := broker.Start(broker.Config{})
	must(t, err)
	defer b.Close()
	c := kafka.Config{Brokers: b.Addr()}
	out := topic(t, c, "out", 1)
	x, err := kafka.NewTxn(c, kafka.TxnConfig{ID: "bounded", Queue: 2 << 20, Timeout: 2 * time.Second})
	must(t, err)
	defer x.Close()
	must(t, x.Init(t.Context()), x.Begin())
	large := kafka.Record{Topic: out, Value: make([]byte, 900_000)}
	for range 10 {
		must(t, x.Produce(large))
	}
	must(t, x.Commit())
	if n := len(visible(t, c, out, 0)); n != 10 {
		t.Errorf("%d records are visible, want 10", n)
	}
	b.Close()
	must(t, x.Begin())
	accepted := 0
	for err == nil && accepted < 10 {
		if err = x.Produce(large); err == nil {
			accepted++
		}
	}
	if accepted != 2 || kafka.Classify(err) != kafka.Abort {
		t.Errorf("without a broker %d records of 900 kB were taken, then %v", accepted, err)
	}
}

// A client that takes no record although the last transaction was aborted cannot
// be mended by one more abort: it was aborted again and again, until the
// processor gave up.
func TestStuckAfterAnAbort(t *testing.T) {
	c := start(t)
	out := topic(t, c, "out", 1)
	x := ready(t, c, "stuck")
	records := &kafka.Records{Topics: []string{out}}
	records.Add(0, nil, []byte("x"))
	check := func(after string, want kafka.Outcome) {
		t.Helper()
		for how, err := range map[string]error{
			"Produce":    x.Produce(kafka.Record{Topic: out, Value: []byte("x")}), // outside of a transaction
			"ProduceAll": x.ProduceAll(records),
		} {
			if got := kafka.Classify(err); got != want {
				t.Errorf("%s after %s: %v is %v, want %v", how, after, err, got, want)
			}
		}
	}
	must(t, x.Begin(), x.Commit())
	check("a commit", kafka.Abort)
	must(t, x.Begin(), x.Abort())
	check("an abort", kafka.Unknown)
	must(t, x.Begin(), x.Commit())
	check("a commit again", kafka.Abort)
}
