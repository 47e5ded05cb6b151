package parquet

// Vector is one column's values in a batch to be written.
type Vector struct {
	kind Kind
	ints []int64 // of the integer kinds
	data []byte  // of String and Bytes: the values one after the other …
	ends []int   // … and where each ends
	null []bool  // empty while no value is null
}

// NewBatch gives one empty Vector for each column of the schema.
func NewBatch(s Schema) []Vector {
	batch := make([]Vector, len(s))
	for i := range batch {
		batch[i].kind = s[i].Kind
	}
	return batch
}

// ResetBatch empties the vectors and keeps their memory.
func ResetBatch(batch []Vector) {
	for i := range batch {
		v := &batch[i]
		v.ints, v.data, v.ends, v.null = v.ints[:0], v.data[:0], v.ends[:0], v.null[:0]
	}
}

// Len is the number of values, nulls included.
func (v *Vector) Len() int {
	if v.kind.integer() {
		return len(v.ints)
	}
	return len(v.ends)
}

// AppendInt64 adds a value of kind Int32, Int64 or Timestamp.
func (v *Vector) AppendInt64(x int64) {
	if !v.kind.integer() {
		panic("BUG: an integer for a column of " + v.kind.String())
	}
	v.ints = append(v.ints, x)
	if len(v.null) > 0 {
		v.null = append(v.null, false)
	}
}

// AppendUint64 adds a value of kind Uint64.
func (v *Vector) AppendUint64(x uint64) { v.AppendInt64(int64(x)) }

// AppendBytes adds a copy of a value of kind String or Bytes.
func (v *Vector) AppendBytes(b []byte) {
	v.data = append(v.data, b...)
	v.end()
}

// AppendString is AppendBytes for a Go string.
func (v *Vector) AppendString(s string) {
	v.data = append(v.data, s...)
	v.end()
}

func (v *Vector) end() {
	if v.kind.integer() {
		panic("BUG: bytes for a column of " + v.kind.String())
	}
	v.ends = append(v.ends, len(v.data))
	if len(v.null) > 0 {
		v.null = append(v.null, false)
	}
}

// AppendNull adds a null; only an optional column may hold it.
func (v *Vector) AppendNull() {
	for len(v.null) < v.Len() {
		v.null = append(v.null, false)
	}
	v.null = append(v.null, true)
	if v.kind.integer() {
		v.ints = append(v.ints, 0)
	} else {
		v.ends = append(v.ends, len(v.data))
	}
}

// bytes is value i of a String or Bytes column.
func (v *Vector) bytes(i int) []byte {
	start := 0
	if i > 0 {
		start = v.ends[i-1]
	}
	return v.data[start:v.ends[i]]
}

// appendFrom adds the values [i, j) of another vector of the same kind.
func (v *Vector) appendFrom(from *Vector, i, j int) {
	if len(from.null) > 0 && len(v.null) == 0 {
		for range v.Len() {
			v.null = append(v.null, false)
		}
	}
	switch {
	case len(from.null) > 0:
		v.null = append(v.null, from.null[i:j]...)
	case len(v.null) > 0:
		for range j - i {
			v.null = append(v.null, false)
		}
	}
	if v.kind.integer() {
		v.ints = append(v.ints, from.ints[i:j]...)
		return
	}
	start := 0
	if i > 0 {
		start = from.ends[i-1]
	}
	shift := len(v.data) - start
	v.data = append(v.data, from.data[start:from.ends[j-1]]...)
	for _, e := range from.ends[i:j] {
		v.ends = append(v.ends, e+shift)
	}
}
