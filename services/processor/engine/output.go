package engine

// Batch is a run of records of the partition, in offset order. The value of
// record i is Data[Ends[i-1]:Ends[i]]; it is empty for a tombstone.
type Batch struct {
	Offsets    []int64
	Timestamps []int64 // Kafka's, ms since 1970
	Ends       []int
	Data       []byte
}

// Value returns the value of record i.
func (b *Batch) Value(i int) []byte {
	start := 0
	if i > 0 {
		start = b.Ends[i-1]
	}
	return b.Data[start:b.Ends[i]:b.Ends[i]]
}

// Topic says where a record of the output belongs.
type Topic uint8

// The topics. Changelog records go to the partition that the input has.
const (
	Results Topic = iota
	Excluded
	DeadLetters
	Changelog
)

func (t Topic) String() string {
	return [...]string{"results", "excluded", "dead-letters", "changelog"}[t]
}

// Output is the list of records that a transaction produces, in the order in
// which they are to be written. The zero value is empty.
type Output struct {
	// Full, if set, is called between two records when there are more than
	// FullBytes of them. It takes them, and calls Reset: one record of the input may
	// close a million windows, and their rows need not lie in memory together.
	Full func()

	records []outputRecord
	data    []byte
	answers int // among them, of the topic Results
	begun   int // since the beginning, also of those that are gone
}

// FullBytes is how large an output grows before Full is called.
const FullBytes = 4 << 20

type outputRecord struct {
	keyEnd, end int
	topic       Topic
	keyless     bool
	tombstone   bool
}

// Len returns the number of records.
func (o *Output) Len() int { return len(o.records) }

// At returns record i. The key is nil for a record without one (a dead letter),
// the value is nil for a tombstone. Both are valid until the next Reset, and
// must not be written to.
func (o *Output) At(i int) (topic Topic, key, value []byte) {
	start := 0
	if i > 0 {
		start = o.records[i-1].end
	}
	r := o.records[i]
	if !r.keyless {
		key = o.data[start:r.keyEnd:r.keyEnd]
	}
	if !r.tombstone {
		value = o.data[r.keyEnd:r.end:r.end]
	}
	return r.topic, key, value
}

// Data returns the keys and values of all records, one behind the other, valid
// until the next Reset. It must not be written to.
func (o *Output) Data() []byte { return o.data }

// Layout says where in Data record i lies: behind the record before it its key,
// until keyEnd, and behind that its value, until end.
func (o *Output) Layout(i int) (topic Topic, keyEnd, end int, keyless, tombstone bool) {
	r := &o.records[i]
	return r.topic, r.keyEnd, r.end, r.keyless, r.tombstone
}

// Answers returns the number of rows. Before Flush they are those of windows that
// closed, and of sessions that were taken back: they will not change.
func (o *Output) Answers() int { return o.answers }

// Bytes returns the size of all keys and values.
func (o *Output) Bytes() int { return len(o.data) }

// Reset empties the output and keeps its memory.
func (o *Output) Reset() {
	o.records, o.data, o.answers = o.records[:0], o.data[:0], 0
}

// A record is written as: begin(topic), key appended to data, keyDone, value
// appended to data, done. Without a value, tombstoneDone instead of the last.

func (o *Output) begin(t Topic) {
	o.begun++
	o.records = append(o.records, outputRecord{topic: t})
	if t == Results {
		o.answers++
	}
}

func (o *Output) keyDone() { o.records[len(o.records)-1].keyEnd = len(o.data) }

func (o *Output) noKey() {
	r := &o.records[len(o.records)-1]
	r.keyEnd, r.keyless = len(o.data), true
}

func (o *Output) done() {
	o.records[len(o.records)-1].end = len(o.data)
	if len(o.data) > FullBytes && o.Full != nil {
		o.Full()
	}
}

func (o *Output) tombstoneDone() {
	r := &o.records[len(o.records)-1]
	r.keyEnd, r.tombstone = len(o.data), true
	o.done()
}
