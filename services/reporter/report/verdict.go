package report

import (
	"fmt"
	"strings"
)

// Conclude fills Verdict from the figures: exit code 0 when nothing is
// unexplained or damaged and every identity holds, 1 otherwise, 2 when no window was
// closed, so that nothing was compared. Run says in which words.
func (r *Report) Conclude() {
	r.Schema, r.Version = Schema, Version
	closed := 0
	for i := range r.Views {
		closed += r.Views[i].Cells.Closed
	}
	if r.Faults.Total == 0 && closed == 0 {
		r.Refuse("no window is closed below the cut", "Let more events come, or let the generator or the drain end the data with punctuation; then run ingest, batch and the comparison again.")
		return
	}
	_, damaged := r.damage()
	switch {
	case r.Faults.Total > 0:
		r.Verdict = Verdict{ExitCode: 1, Outcome: Unexplained}
	case damaged:
		r.Verdict = Verdict{ExitCode: 1, Outcome: Damaged}
	default:
		r.Verdict = Verdict{ExitCode: 0, Outcome: Explained}
	}
	r.Verdict.Headline = r.headline()
	r.Verdict.Explanation = r.explanation()
}

// Refuse fills Verdict when nothing could be compared: exit code 2.
func (r *Report) Refuse(reason, advice string) {
	r.Schema, r.Version = Schema, Version
	r.Verdict = Verdict{ExitCode: 2, Outcome: NotCompared, Headline: "Nothing could be compared: " + reason, Explanation: []string{}, Reason: reason, Advice: advice}
}

func (r *Report) headline() string {
	var cells int
	for i := range r.Views {
		cells += r.Views[i].Cells.Closed
	}
	if n := r.Faults.Total; n > 0 {
		what := "findings are"
		if n == 1 {
			what = "finding is"
		}
		return fmt.Sprintf("%s %s unexplained. The first: %s", Whole(n), what, r.Faults.Listed[0].sentence())
	}
	switch n, damaged := r.damage(); {
	case n > 0:
		return fmt.Sprintf("The stream is damaged: in %s of %s cells it counted events twice or not at all, or others than it should, since its guarantee is not exactly once. Every other difference is explained.", Whole(n), Whole(cells))
	case damaged:
		return fmt.Sprintf("The stream is damaged: its rows are right in all %s cells, but it told %s, since its guarantee is not exactly once. Every other difference is explained.", Whole(cells), r.Damage.told())
	}
	differ := r.Differences.Total
	if differ == 0 {
		return fmt.Sprintf("Stream, batch and truth are equal in all %s cells.", Whole(cells))
	}
	s := fmt.Sprintf("Stream and batch differ in %s of %s cells, and every difference is explained.", Whole(differ), Whole(cells))
	if n := r.Ledger.BeyondCut; n > 0 {
		s += fmt.Sprintf(" Beyond the cut, %s were sent that are not compared.", r.events(n))
	}
	return s
}

// sentence names the cell, if the fault has one.
func (f *Fault) sentence() string {
	if f.Start == nil {
		return f.What + "."
	}
	s := fmt.Sprintf("view %s, key %q, window %s to %s, partition %d: %s", f.View, f.Key, f.Start, f.End, *f.Partition, f.What)
	if f.Want != nil && f.Got != nil {
		s += fmt.Sprintf(" (count %s and sum %s, where count %s and sum %s belong)", Whole(f.Got.Count), f.Got.sum(), Whole(f.Want.Count), f.Want.sum())
	}
	return s + "."
}

func (f *Figures) sum() string {
	if f.WholeSum != "" {
		return f.WholeSum
	}
	return Whole(f.Sum)
}

// explanation speaks to somebody who sees the two answers for the first time.
func (r *Report) explanation() []string {
	list := []string{}
	for i := range r.Views {
		if v := &r.Views[i]; v.Sides.B.Count > 0 {
			list = append(list, r.ofView(v))
			break // the other views say the same of other windows
		}
	}
	for _, c := range r.Causes {
		switch c.Cause {
		case CauseLate, CauseLost:
		case CauseAgain, CauseSkipped, CauseAdmitted, CauseRefused, CauseUnclosed:
			list = append(list, fmt.Sprintf("%s %s. That is damage, which its guarantee allows, and no explanation.", r.events(c.Events), c.Meaning))
		case CauseSplit:
			list = append(list, fmt.Sprintf("%s sessions of the batch are several of the stream, which had closed one when an event came that connects it with the next.", Whole(c.Cells)))
		default:
			list = append(list, fmt.Sprintf("%s %s", r.events(c.Events), c.Meaning)+".")
		}
	}
	if n := r.Ledger.BeyondCut; n > 0 {
		list = append(list, fmt.Sprintf("Kafka has acknowledged %s at or after the cut, which is where the lake or the batch ended: they are no part of this comparison.", r.events(n)))
	}
	if n := r.Ledger.NotSent; n > 0 {
		list = append(list, fmt.Sprintf("Of %s Kafka never told the outcome, and the log does not hold them: they are no part of the truth.", r.events(n)))
	}
	var open, partial int
	for i := range r.Views {
		open += r.Views[i].Cells.Open
		partial += r.Views[i].Cells.Partial
	}
	if open > 0 {
		list = append(list, fmt.Sprintf("%s cells are still open at the cut: events for them may be on their way, so they are not compared, and not wrong.", Whole(open)))
	}
	if partial > 0 {
		list = append(list, fmt.Sprintf("%s cells began before the stream began to count their view anew: it knows a part of their events only, so they are not compared.", Whole(partial)))
	}
	if d := r.Damage; d != nil && d.RowsAgain > 0 {
		list = append(list, fmt.Sprintf("%s final rows were told again; the last one of each cell is compared.", Whole(d.RowsAgain)))
	}
	if d := r.Damage; d != nil && d.ToldAgain > 0 {
		list = append(list, fmt.Sprintf("%s exclusions or dead letters were told again, or of events that had been counted before.", Whole(d.ToldAgain)))
	}
	if d := r.Damage; d != nil && d.NotTold > 0 {
		list = append(list, fmt.Sprintf("%s exclusions or dead letters are missing.", Whole(d.NotTold)))
	}
	if d := r.Damage; d != nil && d.Otherwise > 0 {
		list = append(list, fmt.Sprintf("%s exclusions are other ones than the batch's, exactly as they follow from what the stream had lost.", Whole(d.Otherwise)))
	}
	if r.Faults.Total > 0 {
		list = append(list, "Unexplained means: folding exactly the events that the causes list into one answer does not give the other one, byte for byte, or a count does not add up. That is a defect of a program or of the data's way, never a rounding.")
	} else if r.Differences.Total > 0 {
		list = append(list, "Explained means: folding exactly the events that the causes list into one answer gives the other one, byte for byte.")
	}
	return list
}

// ofView is the paragraph on late events.
func (r *Report) ofView(v *View) string {
	stream, b := &v.Sides.Stream, &v.Sides.B
	var s strings.Builder
	fmt.Fprintf(&s, "In the view %q the stream's mean is %s and the batch's is %s.", v.Name, r.value(stream.Mean), r.value(b.Mean))
	if v.Late.Count == 0 {
		s.WriteString(" No event came after its window had closed.")
		return s.String()
	}
	if r.Run.Why != "" {
		s.WriteString(" " + r.Run.Why)
	}
	which := "The stream closed the " + v.Window.Words
	if v.Lateness == 0 {
		which += " at their end"
	} else {
		which += " " + Length(v.Lateness) + " after their end"
	}
	which += ", by the time that the events themselves tell"
	if v.Late.Events == v.Late.Count {
		fmt.Fprintf(&s, " %s; %s came later than that (%.1f %% of all), and only the batch could count them.", which, r.events(v.Late.Events), share(v.Late.Count, b.Count))
	} else {
		fmt.Fprintf(&s, " %s; %s came later than that in %s windows (%.1f %% of all that the windows hold), and only the batch could count them.",
			which, r.events(v.Late.Events), Whole(v.Late.Count), share(v.Late.Count, b.Count))
	}
	if v.Late.Mean != stream.Mean {
		fmt.Fprintf(&s, " Their mean is %s, against %s for those in time: what comes last is no fair sample, and leaving it out moves the mean.", r.value(v.Late.Mean), r.value(stream.Mean))
	}
	return s.String()
}

func share(part, whole uint64) float64 { return 100 * float64(part) / float64(max(whole, 1)) }

func (r *Report) value(mean float64) string {
	s := fmt.Sprintf("%.1f", mean)
	if r.Run.Unit != "" {
		s += " " + r.Run.Unit
	}
	return s
}

func (r *Report) events(n uint64) string {
	one, many := r.Run.Noun, r.Run.Nouns
	if one == "" || many == "" {
		one, many = "event", "events"
	}
	if n == 1 {
		return "1 " + one
	}
	return Whole(n) + " " + many
}
