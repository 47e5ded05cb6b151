package batch

import (
	"encoding/json"
	"fmt"

	"parallax.example/internal/answer"
	"parallax.example/internal/result"
	"parallax.example/internal/view"
	"parallax.example/services/batch/mapreduce"
)

// tables writes what one reduce task merged: a file of rows and one of judgements.
type tables struct {
	pl             *plan
	out            *mapreduce.Output
	rowsName       string
	judgementsName string
	rows           *answer.RowWriter
	judgements     *answer.JudgementWriter
	cells          readings // of the record under way
	replay         replay
}

func (pl *plan) reduce(task int, out *mapreduce.Output) (mapreduce.Reducer, error) {
	return &tables{
		pl:             pl,
		out:            out,
		rowsName:       fmt.Sprintf("%s/part-%05d.parquet", answer.RowsFolder, task),
		judgementsName: fmt.Sprintf("%s/part-%05d.parquet", answer.JudgementsFolder, task),
		replay:         newReplay(pl.views),
	}, nil
}

// Put takes one record.
func (t *tables) Put(key, value []byte) (err error) {
	switch key[0] {
	case cellRecord:
		return t.cell(key, value)
	case judgementRecord:
		return t.judgement(key, value)
	case sessionRecord:
		return t.event(key, value)
	}
	return fmt.Errorf("%q is no record", key)
}

// writeRow and writeJudgement begin their file with its first row: a file without
// rows is not made.
func (t *tables) writeRow(r *answer.Row) error {
	if t.rows == nil {
		w, err := t.out.Create(t.rowsName)
		if err != nil {
			return err
		}
		if t.rows, err = answer.NewRowWriter(w); err != nil {
			return err
		}
	}
	return t.rows.Write(r)
}

func (t *tables) writeJudgement(j *answer.Judgement) error {
	if t.judgements == nil {
		w, err := t.out.Create(t.judgementsName)
		if err != nil {
			return err
		}
		if t.judgements, err = answer.NewJudgementWriter(w); err != nil {
			return err
		}
	}
	return t.judgements.Write(j)
}

// row is a row of the cell, without its aggregates.
func (t *tables) row(view int, span view.Span, key []byte, partition int32) answer.Row {
	r := answer.Row{Cell: result.Cell{View: t.pl.views.Views[view].ID(), Key: string(key), Span: span, Partition: partition}}
	if at := t.pl.partitions[partition].closings[view].at(span.End); at != never {
		r.Closed, r.ClosedAt = true, at
	}
	return r
}

func (t *tables) cell(key, value []byte) error {
	k, err := decodeCellKey(key)
	if err != nil {
		return err
	}
	if err := t.cells.decode(value); err != nil {
		return err
	}
	both, onlyB := &t.cells.both, &t.cells.onlyB
	row := t.row(k.view, view.Span{Start: k.start, End: k.start + t.pl.views.Views[k.view].Window.Size}, k.key, k.partition)
	row.Agg = both.agg()
	if both.Count > 0 {
		row.Reading = answer.A
		if err := t.writeRow(&row); err != nil {
			return err
		}
	}
	if onlyB.Count > 0 {
		both.merge(onlyB)
		row.Agg = both.agg()
	}
	row.Reading = answer.B
	return t.writeRow(&row)
}

func (t *tables) judgement(key, value []byte) error {
	x, err := decodeJudgement(key, value)
	if err != nil {
		return err
	}
	j := answer.Judgement{
		Partition: x.partition, Offset: x.offset,
		Cell:   result.Cell{Key: string(x.key), Partition: x.partition},
		CauseA: x.causeA, CauseB: x.causeB, Time: x.time, Value: x.value,
		HasID: x.producer != nil, Producer: string(x.producer), Seq: x.seq,
	}
	if x.view >= 0 {
		v := &t.pl.views.Views[x.view]
		j.Cell.View = v.ID()
		j.Cell.Span = view.Span{Start: x.start, End: x.start + v.Window.Size}
	}
	return t.writeJudgement(&j)
}

// Close answers the last events and ends the files.
func (t *tables) Close() (map[string]int64, error) {
	err := t.sessions()
	if err != nil {
		return nil, err
	}
	for partition, totals := range t.replay.totals {
		for n, p := range totals {
			p.count(t.out, partition, t.replay.views[n])
		}
	}
	rows := map[string]int64{}
	if t.rows != nil {
		if rows[t.rowsName], err = t.rows.Close(); err != nil {
			return nil, err
		}
	}
	if t.judgements != nil {
		if rows[t.judgementsName], err = t.judgements.Close(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// success is what _SUCCESS.json says, after the identities that must hold.
func (pl *plan) success(job string, done mapreduce.Done) (answer.Success, error) {
	s := answer.Success{Version: answer.Version, Job: job, Topic: pl.topic, TopicID: pl.topicID, Files: []answer.File{}}
	for i := range pl.views.Views {
		v := &pl.views.Views[i]
		s.Views = append(s.Views, answer.View{Name: v.Name, ID: v.ID()})
	}
	for _, p := range pl.partitions {
		total := p.Partition
		for i := range pl.views.Views {
			v := &pl.views.Views[i]
			n := func(name string) int64 { return done.Counters[counter(total.Partition, i, name)] }
			x := answer.Placements{View: v.ID(), Counted: n(countedName), Late: n(lateName), CountedB: n(countedBName)}
			overlap := int64(1) // placements of an event
			if v.Window.Kind != view.Session {
				overlap = v.Window.Size / v.Window.Hop
			}
			if x.Counted+x.Late != total.Valid*overlap || x.CountedB != (total.Events-total.RepeatedIDs)*overlap {
				return s, fmt.Errorf("partition %d, view %s: %d counted and %d late placements of %d valid events, B %d of %d: the lake changed while it was read",
					total.Partition, v.ID(), x.Counted, x.Late, total.Valid, x.CountedB, total.Events-total.RepeatedIDs)
			}
			total.Views = append(total.Views, x)
		}
		s.Partitions = append(s.Partitions, total)
	}
	for _, f := range done.Files {
		s.Files = append(s.Files, answer.File(f))
	}
	return s, nil
}

func encodeSuccess(s *answer.Success) ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}
