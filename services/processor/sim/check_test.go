package sim_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"

	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/internal/sim/model"
	"parallax.example/services/processor/engine"
)

// check compares what is committed with what the input means, in two ways: by the
// oracle, and by a fold without any interruption.
func (r *run) check() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	r.answers(fault)
	for p := range int32(r.partitions) {
		if folded := r.fold(p, fault); folded != nil {
			r.replay(p, folded, fault)
		}
	}
	return faults
}

// answers holds final rows, exclusions and dead letters against the oracle's.
func (r *run) answers(fault func(string, ...any)) {
	want := oracle.Stream(r.views, r.log)
	rows, last := map[result.Cell]result.Agg{}, map[result.Cell]result.Place{}
	var excluded []oracle.Exclusion
	dead := 0
	for p := range int32(r.partitions) {
		for _, e := range r.cluster.Log(r.topics.Results, p).Read() {
			var x result.Result
			if err := x.Decode(e.Value); err != nil {
				fault("result at offset %d: %v", e.Offset, err)
				continue
			}
			cell := x.Cell()
			before := last[cell]
			if cmp.Or(cmp.Compare(before.Transaction, x.Place.Transaction), cmp.Compare(before.Ordinal, x.Place.Ordinal)) >= 0 && before != (result.Place{}) {
				fault("%v: a row of %+v follows one of %+v", cell, x.Place, before)
			}
			last[cell] = x.Place
			if _, twice := rows[cell]; twice {
				fault("a %s row of %v follows the final one", x.Stage, cell)
			}
			if x.Stage == result.Final {
				rows[cell] = x.Agg
			}
		}
		for _, e := range r.cluster.Log(r.topics.Excluded, p).Read() {
			var x result.Exclusion
			if err := x.Decode(e.Value); err != nil {
				fault("exclusion at offset %d: %v", e.Offset, err)
				continue
			}
			excluded = append(excluded, oracle.Exclusion{Partition: p, Offset: x.Place.Offset, Cause: x.Cause, View: string(x.View), Span: x.Span, Watermark: x.Watermark})
		}
		for _, e := range r.cluster.Log(r.topics.DeadLetters, p).Read() {
			var x result.DeadLetter
			if err := x.Decode(e.Value); err != nil {
				fault("dead letter at offset %d: %v", e.Offset, err)
				continue
			}
			dead++
		}
	}
	slices.SortStableFunc(excluded, func(x, y oracle.Exclusion) int {
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.View, y.View), cmp.Compare(x.Span.Start, y.Span.Start))
	})
	if !reflect.DeepEqual(want.Rows, rows) {
		fault("final rows (-oracle +processor):\n%s", gocmp.Diff(want.Rows, rows))
	}
	if !slices.Equal(want.Excluded, excluded) {
		fault("exclusions (-oracle +processor):\n%s", gocmp.Diff(want.Excluded, excluded))
	}
	if dead != len(want.Dead) {
		fault("%d dead letters, want %d", dead, len(want.Dead))
	}
}

// commits are the commits of a partition, and what their metadata says of
// transaction and records.
func (r *run) commits(p int32) (list []model.Commit) {
	for _, c := range r.cluster.History(group) {
		if c.Partition == p {
			list = append(list, c)
		}
	}
	return list
}

// fold answers the partition's input with an engine that nothing ever interrupts,
// with transactions that end where the committed ones did. Each must be the same,
// byte for byte, but for the order of rows that one record closes.
func (r *run) fold(p int32, fault func(string, ...any)) *engine.Engine {
	e := engine.New(r.views, r.topics.Events, p)
	e.SetSource("id-of-"+r.topics.Events, int32(r.partitions))
	input := r.cluster.Log(r.topics.Events, p).Read()
	var out engine.Output
	txns := map[*model.Txn]bool{}
	for i, c := range r.commits(p) {
		meta, err := base64.StdEncoding.DecodeString(c.Metadata)
		if err != nil || len(meta) < 26 {
			fault("partition %d: the metadata of commit %d is %q", p, i+1, c.Metadata)
			return nil
		}
		if n := binary.BigEndian.Uint64(meta[2:]); n != uint64(i+1) || c.Offset < e.Next() || c.Offset > int64(len(input)) {
			fault("partition %d: commit %d is of transaction %d and moves from offset %d to %d of %d", p, i+1, n, e.Next(), c.Offset, len(input))
			return nil
		}
		if records := binary.BigEndian.Uint32(meta[18:]); int(records) != len(c.Txn.Records) {
			fault("partition %d: transaction %d holds %d records, its metadata says %d", p, i+1, len(c.Txn.Records), records)
		}
		out.Reset()
		var b engine.Batch
		for _, in := range input[e.Next():c.Offset] {
			b.Offsets, b.Timestamps = append(b.Offsets, in.Offset), append(b.Timestamps, in.Timestamp)
			b.Data = append(b.Data, in.Value...)
			b.Ends = append(b.Ends, len(b.Data))
		}
		if err := e.Apply(&b, &out); err != nil {
			fault("%v", err)
			return nil
		}
		e.Flush(&out)
		e.Commit()
		if d := differ(r.written(&out, p), c.Txn.Records); d != "" {
			fault("partition %d: transaction %d, offsets up to %d, (-fold +committed):\n%s", p, i+1, c.Offset, d)
			return nil
		}
		r.complete(p, uint64(i+1), c.Txn, fault)
		txns[c.Txn] = true
	}
	for _, topic := range []string{r.topics.Results, r.topics.Excluded, r.topics.DeadLetters, r.topics.Changelog} {
		for _, entry := range r.cluster.Log(topic, p).Read() {
			if !txns[entry.Txn] {
				fault("topic %q, partition %d: the record at offset %d is visible, and of no transaction that committed an offset", topic, p, entry.Offset)
			}
		}
	}
	return e
}

// complete looks at a transaction as a reader can: each record says of which it
// is, and which of it.
func (r *run) complete(p int32, number uint64, t *model.Txn, fault func(string, ...any)) {
	var ordinals []uint32
	for _, w := range t.Records {
		var row result.Result
		var x result.Exclusion
		var d result.DeadLetter
		var place result.Place
		switch {
		case strings.HasPrefix(w.Log, r.topics.Results) && row.Decode(w.Value) == nil:
			place = row.Place
		case strings.HasPrefix(w.Log, r.topics.Excluded) && x.Decode(w.Value) == nil:
			place = x.Place
		case strings.HasPrefix(w.Log, r.topics.DeadLetters) && d.Decode(w.Value) == nil:
			place = d.Place
		default:
			continue
		}
		if place.Transaction != number || place.Partition != p {
			fault("partition %d, transaction %d holds a record of partition %d, transaction %d", p, number, place.Partition, place.Transaction)
		}
		ordinals = append(ordinals, place.Ordinal)
	}
	slices.Sort(ordinals)
	for i, o := range ordinals {
		if o != uint32(i) {
			fault("partition %d, transaction %d is torn or doubled: ordinals %v", p, number, ordinals)
			return
		}
	}
}

// written is an engine's output as a transaction would hold it.
func (r *run) written(out *engine.Output, p int32) []model.Written {
	topics := []string{engine.Results: r.topics.Results, engine.Excluded: r.topics.Excluded, engine.DeadLetters: r.topics.DeadLetters, engine.Changelog: r.topics.Changelog}
	list := make([]model.Written, out.Len())
	for i := range list {
		topic, key, value := out.At(i)
		list[i] = model.Written{Log: fmt.Sprintf("%s/%d", topics[topic], p), Key: key, Value: value}
	}
	return list
}

// differ compares transactions. The rows that one record closes come in any order,
// so of results the ordinal does not count here.
func differ(want, got []model.Written) string {
	if same(want, got) {
		return ""
	}
	want, got = anyOrder(want), anyOrder(got)
	if same(want, got) {
		return ""
	}
	return gocmp.Diff(want, got)
}

func same(a, b []model.Written) bool {
	return slices.EqualFunc(a, b, func(a, b model.Written) bool {
		return a.Log == b.Log && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil)
	})
}

func anyOrder(list []model.Written) []model.Written {
	list = slices.Clone(list)
	for i := range list {
		var row result.Result
		if strings.Contains(list[i].Log, ".results/") && row.Decode(list[i].Value) == nil {
			row.Place.Ordinal = 0
			list[i].Value = row.Append(nil)
		}
	}
	slices.SortStableFunc(list, func(a, b model.Written) int {
		return cmp.Or(cmp.Compare(a.Log, b.Log), bytes.Compare(a.Key, b.Key), bytes.Compare(a.Value, b.Value))
	})
	return list
}

// replay restores a state from the changelog alone. It must be the folded one: it
// says the same of itself, and goes on in the same way.
func (r *run) replay(p int32, folded *engine.Engine, fault func(string, ...any)) {
	e := engine.New(r.views, r.topics.Events, p)
	e.SetSource("id-of-"+r.topics.Events, int32(r.partitions))
	for _, entry := range r.cluster.Log(r.topics.Changelog, p).Read() {
		if err := e.Load(entry.Key, entry.Value); err != nil {
			fault("partition %d: changelog at offset %d: %v", p, entry.Offset, err)
			return
		}
	}
	meta, err := e.Loaded()
	if err != nil {
		fault("partition %d: the changelog does not make a state: %v", p, err)
		return
	}
	if meta.Next != folded.Next() || meta.Transaction != folded.Transaction() || !reflect.DeepEqual(e.Stats(), folded.Stats()) {
		fault("partition %d: the replayed state has come to offset %d in transaction %d, %+v; the folded one to %d in %d, %+v",
			p, meta.Next, meta.Transaction, e.Stats(), folded.Next(), folded.Transaction(), folded.Stats())
		return
	}
	if next := e.Next(); next > 0 {
		b := engine.Batch{Offsets: []int64{next}, Timestamps: []int64{0}, Ends: []int{len(closing)}, Data: closing}
		var one, other engine.Output
		for to, from := range map[*engine.Output]*engine.Engine{&one: folded, &other: e} {
			if err := from.Apply(&b, to); err != nil {
				fault("%v", err)
			}
			from.Flush(to)
		}
		if d := differ(r.written(&one, p), r.written(&other, p)); d != "" {
			fault("partition %d: the folded and the replayed state close differently (-folded +replayed):\n%s", p, d)
		}
	}
}
