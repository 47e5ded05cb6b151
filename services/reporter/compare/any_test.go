package compare_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parallax.example/internal/event"
	"parallax.example/internal/result"
	"parallax.example/services/reporter/compare"
)

// Whatever single thing is changed in what the stream, the batch or the
// generator say, it is noticed.
func TestAnyTamperingIsNoticed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := random(t, rapid.Uint64Range(0, 50).Draw(rt, "seed"), rapid.IntRange(40, 150).Draw(rt, "events"))
		w.punctuate()
		in := w.input()
		in.Ledger = slices.Clone(in.Ledger)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "where"), 2))
		what := rapid.SampledFrom([]string{"final", "A", "B", "row gone", "exclusion gone", "exclusion changed", "exclusion twice", "dead gone",
			"dead changed", "ledger gone", "ledger changed", "ledger moved", "count", "log gone", "closed"}).Draw(rt, "what")
		spoil := func(a *result.Agg) {
			switch r.IntN(6) {
			case 5:
				a.Distinct += "\x01" // of one more subject
			case 0:
				a.Count += 1 + r.Uint64N(3)
			case 1:
				a.SumLow ^= 1 << r.IntN(64)
			case 2:
				a.SumHigh ^= 1 << r.IntN(63)
			case 3:
				a.Min -= 1 + r.Int64N(9)
			case 4:
				a.Max += 1 + r.Int64N(9)
			}
		}
		if len(in.Stream.Dead) == 0 {
			rt.Skip("no dead letter to tamper with")
		}
		switch what {
		case "final":
			c := pick(r, sorted(in.Stream.Final))
			f := in.Stream.Final[c]
			spoil(&f.Agg)
			in.Stream.Final[c] = f
		case "A", "B":
			rows := map[string]map[result.Cell]compare.Row{"A": in.Batch.A, "B": in.Batch.B}[what]
			c := pick(r, sorted(rows))
			a := rows[c]
			spoil(&a.Agg)
			rows[c] = a
		case "row gone":
			rows := pick(r, []map[result.Cell]compare.Row{in.Batch.A, in.Batch.B})
			delete(rows, pick(r, sorted(rows)))
		case "exclusion gone":
			i := r.IntN(len(in.Stream.Exclusions))
			in.Stream.Exclusions = slices.Delete(in.Stream.Exclusions, i, i+1)
		case "exclusion changed":
			x := &in.Stream.Exclusions[r.IntN(len(in.Stream.Exclusions))]
			switch r.IntN(6) {
			case 0:
				x.Offset++
			case 1:
				x.Cause = x.Cause%3 + 1
			case 2:
				x.Value++
			case 3:
				x.Key += "x"
			case 4:
				x.Time += minute
			case 5:
				x.Span.Start -= 60 * minute
			}
		case "exclusion twice":
			in.Stream.Exclusions = append(in.Stream.Exclusions, pick(r, in.Stream.Exclusions))
		case "dead gone":
			in.Stream.Dead = in.Stream.Dead[1:]
		case "dead changed":
			in.Stream.Dead[0].Reason = "another"
		case "ledger gone", "ledger changed", "ledger moved":
			_, i := ledgerEvent(in)
			for range r.IntN(20) { // any acknowledged event
				if n := r.IntN(len(in.Ledger)); in.Ledger[n].Kind == compare.Sent && in.Ledger[n].Outcome == compare.OK {
					i = n
				}
			}
			switch what {
			case "ledger gone":
				in.Ledger = slices.Delete(in.Ledger, i, i+1)
			case "ledger changed":
				var rec event.Record
				if err := rec.Decode(in.Ledger[i].Value); err != nil {
					rt.Fatal(err)
				}
				rec.Event.Value++
				in.Ledger[i].Value = wire(rec.Event)
			case "ledger moved":
				in.Ledger[i].Offset--
			}
		case "closed":
			c := pick(r, sorted(in.Batch.B))
			b := in.Batch.B[c]
			b.Closed = !b.Closed
			in.Batch.B[c] = b
		case "count":
			in.Cut[r.IntN(len(in.Cut))].Records.Valid++
		case "log gone":
			i := r.IntN(len(in.Log))
			in.Log = slices.Delete(in.Log, i, i+1)
		}
		rep, _ := run(t, in)
		if rep.Conclude(); rep.Faults.Total == 0 || rep.Verdict.ExitCode != 1 {
			rt.Errorf("%s went unnoticed", what)
		}
	})
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
