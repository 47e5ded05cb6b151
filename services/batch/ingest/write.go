package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"parallax.example/internal/lake"
	"parallax.example/internal/parquet"
)

// write makes the buffered records the next link of their chain. m names the
// range; what it holds is filled in here. The error is lake.ErrTaken when
// another ingester was first; after any error nothing was committed.
func (b *buffer) write(dir *lake.Dir, id string, m *lake.Manifest) error {
	draft := dir.Draft(id)
	m.Files = []lake.File{}
	for _, r := range b.sorted() {
		f, err := r.write(draft, m)
		if err != nil {
			return errors.Join(err, draft.Discard())
		}
		m.Files = append(m.Files, f)
	}
	m.Counts, m.IDs = b.counts, b.ids
	m.DeadLetters = append([]lake.DeadLetter{}, b.deadLetters...)
	m.Punctuations = append([]lake.Punctuation{}, b.punctuations...)
	return draft.Commit(m)
}

// write makes the file of one hour and reads its footer back.
func (r *rows) write(draft *lake.Draft, m *lake.Manifest) (lake.File, error) {
	f, err := draft.Create(r.hour)
	if err != nil {
		return lake.File{}, err
	}
	w, err := parquet.NewWriter(f, Schema, parquet.Options{Metadata: map[string]string{
		"topic": m.Topic, "topic_id": m.TopicID, "partition": strconv.Itoa(int(m.Partition)),
	}})
	if err != nil {
		return lake.File{}, err
	}
	if err := w.Write(r.batch); err != nil {
		return lake.File{}, err
	}
	if err := w.Close(); err != nil {
		return lake.File{}, err
	}
	back, err := parquet.Open(f, f.Size())
	if err != nil {
		return lake.File{}, fmt.Errorf("cannot read back what was written: %w", err)
	}
	if back.Rows() != r.n || !slices.Equal(back.Schema(), Schema) {
		return lake.File{}, fmt.Errorf("cannot read back what was written: %d rows of %v instead of %d of %v", back.Rows(), back.Schema(), r.n, Schema)
	}
	f.Close()
	return lake.File{
		Size: f.Size(), SHA256: f.SHA256(), Rows: r.n,
		MinOffset: r.minOffset, MaxOffset: r.maxOffset, MinEventTime: r.minTime, MaxEventTime: r.maxTime,
	}, nil
}
