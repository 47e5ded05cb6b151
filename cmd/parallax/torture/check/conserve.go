package check

import (
	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/processor/engine"
)

// conservation counts, without asking what the right answer is: each record of
// the log is a valid event, an exclusion, a dead letter or punctuation; and each
// placement of a valid event is in a final row, in an open one, or late.
func conservation(r *run) {
	for p := range r.partitions() {
		valid := r.valid(p)
		open, err := r.open(p)
		if err != nil {
			continue // the next check says so
		}
		for i := range r.Views.Views {
			v := &r.Views.Views[i]
			told := r.placements(v, int32(p), open)
			windows := 1
			if v.Window.Kind != view.Session {
				windows = int(v.Window.Size / v.Window.Hop)
			}
			want := valid * windows
			r.report.Lost += max(0, want-told)
			r.report.Doubled += max(0, told-want)
			if told != want {
				r.fail("partition %d, view %s: %d placements of %d valid events, the stream tells of %d", p, v.ID(), want, valid, told)
			}
		}
	}
}

// valid counts a partition's records that the stream called neither duplicates
// nor stale nor dead.
func (r *run) valid(p int) int {
	n := len(r.Events.of(p))
	var record event.Record
	for _, m := range r.Events.of(p) {
		if record.Decode(m.Value) == nil && record.Kind == event.KindPunctuation && r.Views.Time.Accepts(record.Punctuation.Sender) {
			n--
		}
	}
	for i := range r.exclusions {
		if x := &r.exclusions[i]; int(x.Partition) == p && x.Message.Cause != result.Late {
			n--
		}
	}
	for i := range r.dead {
		if int(r.dead[i].Partition) == p {
			n--
		}
	}
	return n
}

func (r *run) placements(v *view.View, p int32, open map[result.Cell]result.Agg) int {
	var n int
	for i := range r.results {
		if m := &r.results[i].Message; m.Stage == result.Final && m.Place.Partition == p && string(m.View) == v.ID() {
			n += int(m.Agg.Count)
		}
	}
	for i := range r.exclusions {
		if x := &r.exclusions[i].Message; x.Cause == result.Late && x.Place.Partition == p && string(x.View) == v.ID() {
			n++
		}
	}
	for cell, agg := range open {
		if cell.View == v.ID() {
			n += int(agg.Count)
		}
	}
	return n
}

// changelog replays the changelog from nothing, and asks the state what it
// knows: the rows of the windows that are still open, and which ids were there.
func changelog(r *run) {
	for p := range r.partitions() {
		open, err := r.open(p)
		if err != nil {
			r.fail("partition %d cannot be restored: %v", p, err)
			continue
		}
		for cell, agg := range open {
			if want, ok := r.want.Open[cell]; !ok || want != agg {
				r.report.Cells++
				r.fail("restored from the changelog, the open window %v counts %d events, the right answer %d; or their sums or sketches differ", cell, agg.Count, want.Count)
			}
		}
		for cell, want := range r.want.Open {
			if _, ok := open[cell]; cell.Partition == int32(p) && !ok {
				r.report.Cells++
				r.fail("restored from the changelog, the open window %v is missing, which counts %d events", cell, want.Count)
			}
		}
		r.remembers(p)
	}
}

// restored is a partition's state, made from nothing but its changelog.
func (r *run) restored(p int) (*engine.Engine, error) {
	e := engine.New(r.Views, r.Events.Name, int32(p))
	for _, m := range r.Changelog.of(p) {
		if err := e.Load(m.Key, m.Value); err != nil {
			return nil, err
		}
	}
	_, err := e.Loaded()
	return e, err
}

// open lets a restored state close everything, and returns the rows.
func (r *run) open(p int) (map[result.Cell]result.Agg, error) {
	e, err := r.restored(p)
	if err != nil {
		return nil, err
	}
	end := event.AppendPunctuationProto(nil, &event.Punctuation{Sender: []byte(r.Views.Time.Senders[0]), Watermark: event.MaxWatermark})
	var out engine.Output
	if err := e.Apply(batchOf(e.Next(), end), &out); err != nil {
		return nil, err
	}
	rows := map[result.Cell]result.Agg{}
	for i := range out.Len() {
		topic, _, value := out.At(i)
		var m result.Result
		if topic != engine.Results {
			continue
		}
		if err := m.Decode(value); err != nil {
			return nil, err
		}
		rows[m.Cell()] = m.Agg
	}
	return rows, nil
}

// remembers sends the whole log once more to a restored state: whatever has an
// id must be called a repetition.
func (r *run) remembers(p int) {
	e, err := r.restored(p)
	if err != nil {
		return
	}
	var out engine.Output
	var record event.Record
	for _, m := range r.Events.of(p) {
		if record.Decode(m.Value) != nil || record.Kind != event.KindEvent || !record.Event.HasID {
			continue
		}
		out.Reset()
		if err := e.Apply(batchOf(e.Next(), m.Value), &out); err != nil {
			r.fail("partition %d: %v", p, err)
			return
		}
		if !repetition(&out) {
			r.fail("restored from the changelog, partition %d takes the event %s/%d of offset %d for a new one", p, record.Event.Producer, record.Event.Seq, m.Offset)
		}
	}
}

// repetition says that the output is that of one event which does not count.
func repetition(out *engine.Output) bool {
	if out.Len() != 1 {
		return false
	}
	topic, _, value := out.At(0)
	var x result.Exclusion
	return topic == engine.Excluded && x.Decode(value) == nil && x.Cause != result.Late
}

func batchOf(offset int64, value []byte) *engine.Batch {
	return &engine.Batch{Offsets: []int64{offset}, Timestamps: []int64{0}, Ends: []int{len(value)}, Data: value}
}
