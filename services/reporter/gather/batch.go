package gather

import (
	"fmt"
	"os"
	"path/filepath"

	"parallax.example/internal/answer"
	"parallax.example/internal/result"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

// Answer is the batch's output on one cut.
type Answer struct {
	Topic, TopicID string
	Cut            []report.Partition
	Views          []string // the ids of the views it answers
	Batch          compare.Batch
	Finished       int64 // ms since 1970
}

// Batch reads a finished job's folder, every file of it checked.
func Batch(folder string) (*Answer, error) {
	job, err := answer.Open(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = job.Close() }() // nothing was written
	s := &job.Success
	out := &Answer{Topic: s.Topic, TopicID: s.TopicID, Batch: compare.Batch{A: map[result.Cell]compare.Row{}, B: map[result.Cell]compare.Row{}}}
	for _, v := range s.Views {
		out.Views = append(out.Views, v.ID)
	}
	for _, p := range s.Partitions {
		out.Cut = append(out.Cut, cut(&p))
	}
	texts := map[string]string{}
	shared := func(t string) string {
		if have, ok := texts[t]; ok {
			return have
		}
		texts[t] = t
		return t
	}
	err = job.Rows(func(r *answer.Row) error {
		rows := out.Batch.A
		if r.Reading == answer.B {
			rows = out.Batch.B
		}
		cell := r.Cell
		cell.View, cell.Key = shared(cell.View), shared(cell.Key)
		if _, twice := rows[cell]; twice {
			return fmt.Errorf("reading %s holds %s of key %q in view %s, partition %d, twice", r.Reading, cell.Span, cell.Key, cell.View, cell.Partition)
		}
		agg := r.Agg
		agg.Quantiles, agg.Distinct = shared(agg.Quantiles), shared(agg.Distinct) // of A and B mostly the same
		rows[cell] = compare.Row{Agg: agg, Closed: r.Closed}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the batch's rows in %q: %w", folder, err)
	}
	err = job.Judgements(func(j *answer.Judgement) error {
		one := compare.Judgement{Partition: j.Partition, Offset: j.Offset, Cause: j.CauseA}
		if j.CauseA == result.Late {
			one.View, one.Span = shared(j.Cell.View), j.Cell.Span
		}
		out.Batch.Judgements = append(out.Batch.Judgements, one)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the batch's judgements in %q: %w", folder, err)
	}
	if info, err := os.Stat(filepath.Join(folder, answer.SuccessName)); err == nil {
		out.Finished = info.ModTime().UnixMilli() // for freshness only, so no error
	}
	return out, nil
}

func cut(p *answer.Partition) report.Partition {
	out := report.Partition{
		Partition: p.Partition, First: p.Start, End: p.Cut, Watermark: report.Never,
		Records: report.Records{
			Total: uint64(p.Records), Valid: uint64(p.Valid), Duplicate: uint64(p.Duplicates), Stale: uint64(p.Stale),
			DeadLetter: uint64(p.DeadLetters), Punctuation: uint64(p.Punctuations),
		},
	}
	if p.Watermark != nil {
		out.Watermark = report.Time(*p.Watermark)
	}
	return out
}
