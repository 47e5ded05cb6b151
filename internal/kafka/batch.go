package kafka

// Batch is a run of records of one partition, in offset order, laid out flat so
// that reading a record allocates nothing and the memory is used again.
//
// A batch belongs to who polls until the next Poll of the same client.
type Batch struct {
	Topic      string
	Partition  int32
	Offsets    []int64 // ascending, with gaps where control or aborted records lie
	Timestamps []int64 // Kafka's record timestamps, ms since 1970
	Ends       []int   // the value of record i is Data[Ends[i-1]:Ends[i]]
	Data       []byte

	// Filled only by clients which read keys.
	KeyEnds []int
	KeyData []byte
	Null    []bool // the record's value is null: a tombstone

	Next  int64 // the offset to read next: the last one + 1, or the end when AtEnd
	AtEnd bool  // everything readable had been read; Len may be 0
}

// Len returns the number of records.
func (b *Batch) Len() int { return len(b.Offsets) }

// Value returns the value of record i; nil for a tombstone, if keys are read.
func (b *Batch) Value(i int) []byte {
	if len(b.Null) > 0 && b.Null[i] {
		return nil
	}
	return slice(b.Data, b.Ends, i)
}

// Key returns the key of record i. The client must read keys.
func (b *Batch) Key(i int) []byte { return slice(b.KeyData, b.KeyEnds, i) }

func slice(data []byte, ends []int, i int) []byte {
	start := 0
	if i > 0 {
		start = ends[i-1]
	}
	return data[start:ends[i]:ends[i]]
}

func (b *Batch) reset() {
	b.Offsets, b.Timestamps = b.Offsets[:0], b.Timestamps[:0]
	b.Ends, b.Data = b.Ends[:0], b.Data[:0]
	b.KeyEnds, b.KeyData, b.Null = b.KeyEnds[:0], b.KeyData[:0], b.Null[:0]
	b.AtEnd = false
	if cap(b.Data) > 2*pollBytes { // for one huge record; no other poll fills that
		b.Data = nil
	}
}

func (b *Batch) append(offset, timestamp int64, value []byte) {
	b.Offsets = append(b.Offsets, offset)
	b.Timestamps = append(b.Timestamps, timestamp)
	b.Data = append(b.Data, value...)
	b.Ends = append(b.Ends, len(b.Data))
	b.Next, b.AtEnd = offset+1, false
}

func (b *Batch) appendKey(key []byte, null bool) {
	b.KeyData = append(b.KeyData, key...)
	b.KeyEnds = append(b.KeyEnds, len(b.KeyData))
	b.Null = append(b.Null, null)
}

// truncate drops the records from offset end on.
func (b *Batch) truncate(end int64) {
	n := len(b.Offsets)
	for n > 0 && b.Offsets[n-1] >= end {
		n--
	}
	if n == len(b.Offsets) {
		return
	}
	b.Offsets, b.Timestamps, b.Ends = b.Offsets[:n], b.Timestamps[:n], b.Ends[:n]
	b.Data = b.Data[:lastEnd(b.Ends)]
	if len(b.Null) > 0 {
		b.KeyEnds, b.Null = b.KeyEnds[:n], b.Null[:n]
		b.KeyData = b.KeyData[:lastEnd(b.KeyEnds)]
	}
	b.Next, b.AtEnd = end, false
}

func lastEnd(ends []int) int {
	if len(ends) == 0 {
		return 0
	}
	return ends[len(ends)-1]
}
