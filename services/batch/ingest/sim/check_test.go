package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	gocmp "github.com/google/go-cmp/cmp"

	"parallax.example/internal/event"
	"parallax.example/internal/lake"
	"parallax.example/services/batch/scan"
)

// read is a reader who comes along: each chain is whole, within the log, and begins
// with what was there before.
func (r *run) read() {
	w := r.world
	w.Reach("read")
	chains, err := r.lake.Chains(r.topic)
	if err != nil {
		w.Fail("a reader: %v", err)
		return
	}
	for p, c := range chains {
		if next, _ := c.Next(); next > r.cluster.Log(r.topic, int32(p)).End() {
			w.Fail("a reader: the chain of partition %d goes to offset %d, and the log has none such", p, next)
		}
	}
	for p, before := range r.seen {
		for i, m := range before.Manifests {
			if len(chains) <= p || len(chains[p].Manifests) <= i || !reflect.DeepEqual(chains[p].Manifests[i], m) {
				w.Fail("a reader: the manifest from offset %d of partition %d is no longer what it was", m.Start, p)
				return
			}
		}
	}
	r.seen = chains
}

// record is a record of the log or the lake, as far as a reader of the lake can tell.
type record struct {
	Time, Value   int64
	Key, Subject  string
	Producer, Seq string // with a mark of their being there
	Other         string // of a dead letter or a punctuation
}

// check compares the lake with the log, by the files alone.
func (r *run) check(ctx context.Context) (err error) {
	for p := range int32(r.partitions) {
		err = errors.Join(err, r.partition(ctx, p))
	}
	return err
}

func (r *run) partition(ctx context.Context, p int32) error {
	folder := filepath.Join(r.folder, "manifests", r.topic, fmt.Sprint(p))
	names, err := filepath.Glob(filepath.Join(folder, "*.json")) // by start
	if err != nil {
		return err
	}
	got := map[int64]record{}
	put := func(offset int64, x record) {
		if _, twice := got[offset]; twice {
			err = errors.Join(err, fmt.Errorf("partition %d: the record at offset %d is in the lake twice", p, offset))
		}
		got[offset] = x
	}
	next := int64(0)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var m lake.Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		if m.Start != next || filepath.Base(name) != fmt.Sprintf("%020d.json", m.Start) {
			return fmt.Errorf("partition %d: %s begins at offset %d, and the one before ends at %d", p, filepath.Base(name), m.Start, next)
		}
		next = m.End
		if err := r.manifest(ctx, &m, put); err != nil {
			return err
		}
	}
	if end := r.cluster.Log(r.topic, p).End(); next != end {
		return fmt.Errorf("partition %d: the chain ends at offset %d, and the log at %d", p, next, end)
	}
	want := map[int64]record{}
	for _, e := range r.cluster.Log(r.topic, p).Read() {
		want[e.Offset] = decode(e.Value)
	}
	if d := gocmp.Diff(want, got); d != "" {
		return fmt.Errorf("partition %d: the lake is not the log (-log +lake):\n%s", p, d)
	}
	return err
}

// manifest reads one range.
func (r *run) manifest(ctx context.Context, m *lake.Manifest, put func(int64, record)) error {
	if err := r.lake.Verify(ctx, m); err != nil {
		return err
	}
	for _, d := range m.DeadLetters {
		put(d.Offset, record{Other: fmt.Sprintf("%s %d", d.Reason, d.Size)})
	}
	for _, x := range m.Punctuations {
		put(x.Offset, record{Other: fmt.Sprintf("%s %d", x.Sender, x.Watermark)})
	}
	for i := range m.Files {
		if err := r.file(m, &m.Files[i], put); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) file(m *lake.Manifest, f *lake.File, put func(int64, record)) error {
	c, err := scan.Open(r.lake, scan.Piece{Manifest: m, File: f})
	if err != nil {
		return err
	}
	for {
		rows, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		ints := func(column int) []int64 {
			list, failed := c.Int64(column)
			err = errors.Join(err, failed)
			return list
		}
		texts := func(column int) []string {
			codes, failed := c.Codes(column)
			err = errors.Join(err, failed)
			list := make([]string, len(codes))
			for i, code := range codes {
				if code >= 0 {
					list[i] = "=" + string(c.Dict(column).Value(code))
				}
			}
			return list
		}
		offsets, times, values, seqs := ints(scan.Offset), ints(scan.Time), ints(scan.Value), ints(scan.Seq)
		keys, subjects, producers := texts(scan.Key), texts(scan.Subject), texts(scan.Producer)
		if err != nil {
			return err
		}
		for i := range rows {
			x := record{Time: times[i], Value: values[i], Key: keys[i], Subject: subjects[i], Producer: producers[i]}
			if c.Valid(scan.Seq)[i] {
				x.Seq = fmt.Sprint("=", seqs[i])
			}
			put(offsets[i], x)
		}
	}
}

// decode is what the lake should say of a message.
func decode(value []byte) record {
	var d event.Record
	var invalid *event.Invalid
	switch err := d.Decode(value); {
	case errors.As(err, &invalid):
		return record{Other: fmt.Sprintf("%s %d", invalid.Reason, len(value))}
	case d.Kind == event.KindPunctuation:
		return record{Other: fmt.Sprintf("%s %d", d.Punctuation.Sender, d.Punctuation.Watermark)}
	}
	e := &d.Event
	x := record{Time: e.Time, Value: e.Value, Key: "=" + string(e.Key), Subject: "=" + string(e.Subject)}
	if e.HasID {
		x.Producer, x.Seq = "="+string(e.Producer), fmt.Sprint("=", e.Seq)
	}
	return x
}
