package compare_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parallax.example/internal/event"
	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/report"
)

// dying lets the stream of two partitions take its input in by batches. It commits
// each before it tells of it, and dies now and then between the two, or when it has
// told: its state is then that of the batch before, at the offset and the watermark
// that it has committed. Of the third partition nothing is lost.
func (w *world) dying(seed uint64) *compare.Input {
	in := w.input()
	dice := rand.New(rand.NewPCG(seed, 11))
	for p := range w.partitions - 1 {
		silence(in, p)
		log := slices.DeleteFunc(slices.Clone(w.log), func(r oracle.Record) bool { return r.Partition != p })
		var state []oracle.Record
		came, number, floor := int64(0), uint64(0), oracle.NoWatermark
		for len(log) > 0 {
			n := min(len(log), 1+dice.IntN(15))
			batch, until := log[:n], log[n-1].Offset+1
			after := slices.Clone(state)
			if floor >= event.MinTime {
				mark := event.Punctuation{Sender: []byte("generator"), Watermark: floor}
				after = append(after, oracle.Record{Partition: p, Offset: batch[0].Offset, Value: event.AppendPunctuationProto(nil, &mark)})
			}
			after = append(after, batch...)
			answer := oracle.Stream(w.views, after)
			dies := dice.IntN(7) == 0
			number++
			if !dies || dice.IntN(2) == 0 {
				tell(in, answer, batch[0].Offset, number)
			}
			if dies {
				in.Stream.Resumed = append(in.Stream.Resumed, compare.Resumption{Partition: p, From: came, Until: until, Skipped: true, Transaction: number})
				floor = answer.Counts[p].Watermark
			} else {
				state, came, floor = after, until, oracle.NoWatermark
			}
			log = log[n:]
		}
	}
	return in
}

// silence takes back what the stream has said of a partition.
func silence(in *compare.Input, p int32) {
	maps.DeleteFunc(in.Stream.Final, func(c result.Cell, _ compare.Final) bool { return c.Partition == p })
	in.Stream.Exclusions = slices.DeleteFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool { return x.Partition == p })
	in.Stream.Dead = slices.DeleteFunc(in.Stream.Dead, func(d compare.Dead) bool { return d.Partition == p })
}

// tell says what an answer has from an offset on.
func tell(in *compare.Input, answer *oracle.Answer, from int64, number uint64) {
	for c, row := range answer.Rows {
		if answer.ClosedAt[c] >= from {
			in.Stream.Final[c] = compare.Final{Agg: row, Offset: answer.ClosedAt[c], Watermark: event.MaxWatermark}
		}
	}
	for _, x := range answer.Excluded {
		if x.Offset < from {
			continue
		}
		i := slices.IndexFunc(in.Log, func(e compare.Event) bool { return e.Partition == x.Partition && e.Offset == x.Offset })
		in.Stream.Exclusions = append(in.Stream.Exclusions, compare.Exclusion{
			Event: in.Log[i], Cause: x.Cause, View: x.View, Span: x.Span, Watermark: x.Watermark, Transaction: number})
	}
	for _, d := range answer.Dead {
		if d.Offset >= from {
			in.Stream.Dead = append(in.Stream.Dead, compare.Dead{Partition: d.Partition, Offset: d.Offset, Reason: string(d.Reason), Transaction: number})
		}
	}
}

// Whatever follows from input that the stream has lost has a name: lateness by a
// watermark that lacks it, copies whose first was lost, windows that nothing closes,
// rows that were told with it and again without it.
func TestLoss(t *testing.T) {
	seen, damaged := map[string]int{}, 0
	for seed := range uint64(24) {
		w := random(t, seed, 400)
		if seed%3 > 0 {
			w.punctuate()
		}
		in := w.dying(seed)
		r, _ := run(t, in)
		for _, f := range r.Faults.Listed {
			t.Errorf("seed %d: %s: %s (%s %s %v)", seed, f.Check, f.What, f.View, f.Key, f.Start)
		}
		for _, c := range r.Causes {
			seen[c.Cause] += c.Cells
		}
		if r.Damage != nil { // somebody died
			seen["otherwise"] += int(r.Damage.Otherwise)
		}
		if r.Conclude(); r.Verdict.Outcome == report.Damaged && r.Verdict.ExitCode == 1 {
			damaged++
		}
	}
	if damaged < 20 { // what is lost can be late anyway
		t.Errorf("%d of 24 streams are damaged", damaged)
	}
	for _, cause := range []string{report.CauseAgain, report.CauseSkipped, report.CauseAdmitted, report.CauseRefused, report.CauseUnclosed, "otherwise"} {
		if seen[cause] == 0 {
			t.Errorf("nothing is %s: %v", cause, seen)
		}
	}
}

// Losses excuse nothing that does not follow from them, wherever it lies.
func TestTamperingBesideALossIsNoticed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64Range(0, 50).Draw(rt, "seed")
		w := random(t, seed, rapid.IntRange(60, 150).Draw(rt, "events"))
		w.punctuate()
		in := w.dying(seed)
		if len(in.Stream.Resumed) == 0 {
			rt.Skip("nobody died")
		}
		lost := func(p int32, offset int64) bool {
			return slices.ContainsFunc(in.Stream.Resumed, func(r compare.Resumption) bool {
				return r.Partition == p && offset >= r.From && offset < r.Until
			})
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "where"), 2))
		beside := func() int { // an exclusion that no range holds
			for {
				if i := r.IntN(len(in.Stream.Exclusions)); !lost(in.Stream.Exclusions[i].Partition, in.Stream.Exclusions[i].Offset) {
					return i
				}
			}
		}
		what := rapid.SampledFrom([]string{"final", "final gone", "A", "exclusion gone", "exclusion changed", "exclusion twice", "exclusion too many"}).Draw(rt, "what")
		switch what {
		case "final":
			c := pick(r, sorted(in.Stream.Final))
			f := in.Stream.Final[c]
			switch r.IntN(4) {
			case 0:
				f.Agg.Count += 1 + r.Uint64N(3)
			case 1:
				f.Agg.SumLow ^= 1 << r.IntN(64)
			case 2:
				f.Agg.Max += 1 + r.Int64N(9)
			case 3:
				f.Agg.Distinct += "\x01"
			}
			in.Stream.Final[c] = f
		case "final gone":
			whole := slices.DeleteFunc(sorted(in.Stream.Final), func(c result.Cell) bool {
				return lost(c.Partition, in.Stream.Final[c].Offset) || slices.ContainsFunc(in.Log, func(e compare.Event) bool {
					return e.Key == c.Key && e.Time >= c.Span.Start && e.Time < c.Span.End && lost(e.Partition, e.Offset)
				})
			})
			delete(in.Stream.Final, pick(r, whole))
		case "A":
			c := pick(r, sorted(in.Batch.A))
			a := in.Batch.A[c]
			a.SumLow ^= 1 << r.IntN(64)
			in.Batch.A[c] = a
		case "exclusion gone":
			i := beside()
			in.Stream.Exclusions = slices.Delete(in.Stream.Exclusions, i, i+1)
		case "exclusion changed":
			x := &in.Stream.Exclusions[beside()]
			switch r.IntN(5) {
			case 0:
				x.Cause = x.Cause%3 + 1
			case 1:
				x.Value++
			case 2:
				x.Key += "x"
			case 3:
				x.Time += minute
			case 4:
				x.Span.Start -= 60 * minute
			}
		case "exclusion twice":
			in.Stream.Exclusions = append(in.Stream.Exclusions, pick(r, in.Stream.Exclusions))
		case "exclusion too many":
			for {
				e := pick(r, in.Log)
				if lost(e.Partition, e.Offset) || slices.ContainsFunc(in.Stream.Exclusions, func(x compare.Exclusion) bool { return x.Partition == e.Partition && x.Offset == e.Offset }) {
					continue
				}
				in.Stream.Exclusions = append(in.Stream.Exclusions, compare.Exclusion{Event: e, Cause: result.Cause(2 + r.IntN(2))})
				break
			}
		}
		rep, _ := run(t, in)
		if rep.Conclude(); rep.Faults.Total == 0 || rep.Verdict.Outcome != report.Unexplained {
			rt.Errorf("%s went unnoticed", what)
		}
	})
}
