package batch

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func drawState(t *rapid.T) (s state) {
	for _, v := range rapid.SliceOf(rapid.Int64()).Draw(t, "values") {
		s.Add(v)
		s.quantiles.Add(v)
		s.distinct.Add(uint64(v) * 0x9e3779b97f4a7c15)
	}
	return s
}

// Records of one cell merge to the same bytes in any order, and what a record
// says survives its bytes.
func TestReadingsMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records [][]byte
		var whole readings
		for range rapid.IntRange(1, 5).Draw(t, "records") {
			r := readings{drawState(t), drawState(t)}
			if r.both.Count+r.onlyB.Count == 0 {
				r.both.Add(7) // as in the map stage, no record is empty
			}
			whole.both.merge(&r.both)
			whole.onlyB.merge(&r.onlyB)
			records = append(records, r.append(nil))
		}
		want := whole.append(nil)
		merged := bytes.Clone(records[0])
		for _, r := range records[1:] {
			merged = merge(merged, r)
		}
		if !bytes.Equal(merged, want) {
			t.Fatalf("merged to\n%x, want\n%x", merged, want)
		}
		var back readings
		if err := back.decode(merged); err != nil {
			t.Fatal(err)
		}
		if back.both.agg() != whole.both.agg() || back.onlyB.agg() != whole.onlyB.agg() {
			t.Fatalf("decoded %v, want %v", back, whole)
		}
	})
}

// What one reduce task must see together goes to one: a key's events, and the
// cells of a window of a key, of whatever partition.
func TestShards(t *testing.T) {
	event := func(key string, partition int32, offset int64) uint64 {
		return shard((&sessionEvent{offset: offset}).appendKey(nil, []byte(key), partition))
	}
	cell := func(key string, start int64, partition int32) uint64 {
		return shard(appendCellKey(nil, 1, start, []byte(key), partition))
	}
	for i := range int64(100) {
		if event("k", int32(i), i<<30) != event("k", 0, 0) || cell("k", 9, int32(i)) != cell("k", 9, 0) {
			t.Fatal("a key's records part")
		}
	}
	if event("k", 0, 0) == event("l", 0, 0) || cell("k", 9, 0) == cell("k", 10, 0) {
		t.Fatal("other keys and windows stay together")
	}
}

// FuzzRecords decodes anything; what is accepted has these bytes and no others.
func FuzzRecords(f *testing.F) {
	var s state
	s.Add(-5)
	s.quantiles.Add(-5)
	s.distinct.Add(1 << 60)
	f.Add([]byte("s\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07"), (&readings{both: s, onlyB: s}).append(nil))
	f.Add([]byte("sk\x00\xff\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07"),
		(&sessionEvent{time: 1, value: -2, watermark: noWatermark, subject: 4, stale: true, producer: []byte("p"), seq: 9}).appendValue(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var r readings
		if err := r.decode(value); err == nil && r.both.Count > 0 == (value[0]&hasBoth != 0) && r.onlyB.Count > 0 == (value[0]&hasOnlyB != 0) {
			if again := r.append(nil); !bytes.Equal(again, value) {
				t.Fatalf("a cell %x was read as %x", value, again)
			}
		}
		if e, err := decodeSessionEvent(key, value); err == nil {
			var again sessionEvent
			again, err = decodeSessionEvent(e.appendKey(nil, []byte("k"), 1), e.appendValue(nil))
			if err != nil || again.time != e.time || again.value != e.value || again.watermark != e.watermark || again.subject != e.subject ||
				again.offset != e.offset || again.stale != e.stale || string(again.producer) != string(e.producer) || again.seq != e.seq {
				t.Fatalf("an event %v was read as %v: %v", e, again, err)
			}
			if _, _, err := decodeSessionGroup(sessionGroup(key)); key[0] != sessionRecord && err == nil {
				t.Fatalf("%q is a group", key)
			}
		}
	})
}

// The watermark before an offset is that of the last step below it, however far
// apart the offsets lie that are asked for.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &steps{}
		offset := int64(0)
		for i := range int64(rapid.IntRange(0, 200).Draw(t, "steps")) {
			offset += int64(rapid.SampledFrom([]int{1, 1, 2, 500}).Draw(t, "gap"))
			s.add(i, offset)
		}
		w := walk{steps: s}
		for at := int64(0); at < offset+10; at += int64(rapid.SampledFrom([]int{1, 1, 3, 90, 4000}).Draw(t, "stride")) {
			want := int64(noWatermark)
			for i, o := range s.offsets {
				if o < at {
					want = s.times[i]
				}
			}
			if got := w.before(at); got != want {
				t.Fatalf("before %d: %d, want %d of %v", at, got, want, s.offsets)
			}
		}
	})
}
