package generator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"parallax.example/internal/event"
	"parallax.example/internal/ledger"
	"parallax.example/internal/parquet"
)

// exportSchema has a row per intent: the message as it was sent, the event in
// it where there is one, and its outcome.
var exportSchema = parquet.Schema{
	{Name: "n", Kind: parquet.Uint64},
	{Name: "op", Kind: parquet.String},
	{Name: "partition", Kind: parquet.Int32},
	{Name: "scheduled", Kind: parquet.Timestamp},
	{Name: "record_key", Kind: parquet.Bytes, Optional: true},
	{Name: "record_value", Kind: parquet.Bytes, Optional: true},
	{Name: "producer", Kind: parquet.String, Optional: true},
	{Name: "seq", Kind: parquet.Uint64, Optional: true},
	{Name: "key", Kind: parquet.String, Optional: true},
	{Name: "subject", Kind: parquet.String, Optional: true},
	{Name: "event_time", Kind: parquet.Timestamp, Optional: true},
	{Name: "value", Kind: parquet.Int64, Optional: true},
	{Name: "status", Kind: parquet.String},
	{Name: "offset", Kind: parquet.Int64, Optional: true},
	{Name: "resent", Kind: parquet.Int64},
	{Name: "reason", Kind: parquet.String, Optional: true},
}

const exportBatch = 4096

// Export writes a ledger as a Parquet table.
func Export(path string, out io.Writer) (ledger.Info, error) {
	batch := parquet.NewBatch(exportSchema)
	w, err := parquet.NewWriter(out, exportSchema, parquet.Options{Codec: parquet.Zstd})
	if err != nil {
		return ledger.Info{}, fmt.Errorf("cannot export ledger %q: %w", path, err)
	}
	info, err := ledger.Walk(path, func(i *ledger.Intent, o *ledger.Outcome) error {
		appendExport(batch, i, o)
		if batch[0].Len() < exportBatch {
			return nil
		}
		defer parquet.ResetBatch(batch)
		return w.Write(batch)
	})
	if err == nil && batch[0].Len() > 0 {
		err = w.Write(batch)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return ledger.Info{}, fmt.Errorf("cannot export ledger %q: %w", path, err)
	}
	return info, nil
}

// ExportFile is Export into a file, which must not exist and which appears whole.
func ExportFile(path, to string) (ledger.Info, error) {
	f, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*.tmp")
	if err != nil {
		return ledger.Info{}, fmt.Errorf("cannot export ledger %q: %w", path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // the name only; a linked file stays
	info, err := Export(path, f)
	if err != nil {
		_ = f.Close()
		return ledger.Info{}, err
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return ledger.Info{}, fmt.Errorf("cannot export ledger %q: %w", path, err)
	}
	if err := os.Link(f.Name(), to); err != nil {
		return ledger.Info{}, fmt.Errorf("cannot export ledger %q: %w", path, err)
	}
	return info, nil
}

func appendExport(batch []parquet.Vector, i *ledger.Intent, o *ledger.Outcome) {
	column := 0
	next := func() *parquet.Vector {
		column++
		return &batch[column-1]
	}
	integer := func(v int64, has bool) {
		if !has {
			next().AppendNull()
			return
		}
		next().AppendInt64(v)
	}
	text := func(b []byte, has bool) {
		if !has {
			next().AppendNull()
			return
		}
		next().AppendBytes(b)
	}
	var r event.Record
	isEvent := r.Decode(i.Value) == nil && r.Kind == event.KindEvent
	e := &r.Event

	next().AppendUint64(i.N)
	next().AppendString(i.Op.String())
	integer(int64(i.Partition), true)
	integer(i.Scheduled*1000, true)
	text(i.Key, i.Key != nil)
	text(i.Value, i.Value != nil)
	text(e.Producer, e.HasID)
	integer(int64(e.Seq), e.HasID)
	text(e.Key, isEvent)
	text(e.Subject, isEvent)
	integer(e.Time, isEvent)
	integer(e.Value, isEvent)
	next().AppendString(o.Status.String())
	integer(o.Offset, o.Status == ledger.OK && o.Offset >= 0)
	integer(int64(o.Resent), true)
	text([]byte(o.Reason), o.Status == ledger.Failed)
	if column != len(batch) {
		panic("BUG: the export's row and its schema differ")
	}
}
