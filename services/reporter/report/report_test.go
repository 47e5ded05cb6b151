package report_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/result"
	"parallax.example/services/reporter/report"
)

func TestTimeInJSON(t *testing.T) {
	for _, at := range []report.Time{0, 1, 978307200_123456, report.Never, 253402300799_000000} {
		b, err := json.Marshal(at)
		if err != nil {
			t.Fatal(err)
		}
		var back report.Time
		if err := json.Unmarshal(b, &back); err != nil || back != at {
			t.Errorf("%d: %s, back %d, %v", at, b, back, err)
		}
	}
	var at report.Time
	if err := json.Unmarshal([]byte(`"yesterday"`), &at); err == nil {
		t.Error("yesterday was read")
	}
}

func TestFigures(t *testing.T) {
	var a result.Agg
	a.Add(math.MaxInt64)
	a.Add(math.MaxInt64)
	if f := report.NewFigures(a); f.WholeSum != "18446744073709551614" || f.Sum != 0 || f.Mean != math.MaxInt64 {
		t.Errorf("%+v", f)
	}
	if f := report.NewFigures(result.Agg{}); f != (report.Figures{}) {
		t.Errorf("%+v", f)
	}
}

func TestWords(t *testing.T) {
	for us, want := range map[int64]string{0: "no time", 3600e6: "1 hour", 7200e6: "2 hours", 90e6: "90 seconds", 86400e6: "1 day", 1500: "1.5ms", 900e6: "15 minutes"} {
		if got := report.Length(us); got != want {
			t.Errorf("Length(%d) = %q, want %q", us, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 116493: "116,493", -1234567: "-1,234,567", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := report.Whole(n); got != want {
			t.Errorf("Whole(%d) = %q, want %q", n, got, want)
		}
	}
	if got := report.Whole(uint64(math.MaxUint64)); got != "18,446,744,073,709,551,615" {
		t.Error(got)
	}
}

// What a newcomer reads first.
func TestConclude(t *testing.T) {
	r := report.Report{
		Run:         report.Run{Noun: "flight", Nouns: "flights", Unit: "minutes", Why: "A flight is known when it has left."},
		Differences: report.Differences{Total: 500},
		Causes:      []report.Cause{{Cause: report.CauseLate, Events: 20_000, Placements: 20_000, Cells: 500}},
		Views: []report.View{{
			Name: "hourly", Window: report.Window{Words: "hourly windows"}, Lateness: 3600e6, Cells: report.CellCounts{Closed: 16_460, Same: 15_960, Explained: 500},
			Sides: report.Sides{Stream: report.Side{Figures: report.Figures{Count: 96_493, Mean: 6.9}}, B: report.Side{Figures: report.Figures{Count: 116_493, Mean: 13.7}}},
			Late:  report.Late{Figures: report.Figures{Count: 20_000, Mean: 46.5}, Events: 20_000},
		}},
	}
	r.Conclude()
	want := report.Verdict{ExitCode: 0, Outcome: report.Explained,
		Headline: "Stream and batch differ in 500 of 16,460 cells, and every difference is explained.",
		Explanation: []string{
			`In the view "hourly" the stream's mean is 6.9 minutes and the batch's is 13.7 minutes. A flight is known when it has left. The stream closed the hourly windows 1 hour after their end, by the time that the events themselves tell; 20,000 flights came later than that (17.2 % of all), and only the batch could count them. Their mean is 46.5 minutes, against 6.9 minutes for those in time: what comes last is no fair sample, and leaving it out moves the mean.`,
			"Explained means: folding exactly the events that the causes list into one answer gives the other one, byte for byte.",
		}}
	if diff := cmp.Diff(want, r.Verdict); diff != "" {
		t.Error(diff)
	}

	start, end, partition := report.Time(0), report.Time(3600e6), int32(2)
	r.Faults = report.Faults{Total: 2, Listed: []report.Fault{{Check: "stream-a", What: "the stream's final row is not A's", View: "hourly", Key: "ATL",
		Start: &start, End: &end, Partition: &partition, Want: &report.Figures{Count: 3, Sum: 7}, Got: &report.Figures{Count: 3, Sum: 8}}, {}}}
	r.Conclude()
	if r.Verdict.ExitCode != 1 || r.Verdict.Outcome != report.Unexplained {
		t.Errorf("%+v", r.Verdict)
	}
	for _, part := range []string{"2 findings are unexplained", `key "ATL"`, "1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z", "partition 2", "sum 8, where count 3 and sum 7 belong"} {
		if !strings.Contains(r.Verdict.Headline, part) {
			t.Errorf("%q is not in %q", part, r.Verdict.Headline)
		}
	}

	r.Refuse("no ledger", "Name one.")
	if r.Verdict.ExitCode != 2 || r.Verdict.Outcome != report.NotCompared || r.Verdict.Reason != "no ledger" {
		t.Errorf("%+v", r.Verdict)
	}
}

// Nothing closed means nothing compared, which must not look like success.
func TestNothingClosed(t *testing.T) {
	r := report.Report{Views: []report.View{{Name: "hourly", Cells: report.CellCounts{Open: 3}}}}
	r.Conclude()
	if v := r.Verdict; v.ExitCode != 2 || v.Outcome != report.NotCompared || v.Advice == "" {
		t.Errorf("%+v", v)
	}
}

// What lies beyond the cut is said where the verdict is read.
func TestBeyondTheCut(t *testing.T) {
	r := report.Report{
		Differences: report.Differences{Total: 1},
		Ledger:      report.Ledger{BeyondCut: 2200},
		Views:       []report.View{{Name: "hourly", Cells: report.CellCounts{Closed: 5, Explained: 1}}},
	}
	r.Conclude()
	if !strings.Contains(r.Verdict.Headline, "2,200 events were sent that are not compared") {
		t.Error(r.Verdict.Headline)
	}
}

// A stream that has counted all events once and said some of it twice is damaged,
// and not in its cells.
func TestToldAgain(t *testing.T) {
	for _, c := range []struct {
		damage report.Damage
		want   string
	}{
		{report.Damage{}, ""},
		{report.Damage{RowsAgain: 16}, "its rows are right in all 2,017 cells, but it told final rows 16 times again, since"},
		{report.Damage{ToldAgain: 1, NotTold: 3}, "all 2,017 cells, but it told exclusions or dead letters once too often, 3 times not at all, since"},
		{report.Damage{RowsAgain: 2, Otherwise: 5}, "it told final rows 2 times again, and exclusions or dead letters 5 times otherwise than the batch, since"},
	} {
		r := report.Report{Damage: &c.damage, Views: []report.View{{Name: "hourly", Cells: report.CellCounts{Closed: 2017, Same: 2017}}}}
		r.Conclude()
		if damaged := c.want != ""; (r.Verdict.Outcome == report.Damaged) != damaged || (r.Verdict.ExitCode == 1) != damaged || !strings.Contains(r.Verdict.Headline, c.want) {
			t.Errorf("%+v: %+v", c.damage, r.Verdict)
		}
		r.Views[0].Cells.Damaged = 1
		if r.Conclude(); !strings.Contains(r.Verdict.Headline, "in 1 of 2,017 cells it counted events twice") {
			t.Errorf("%+v: %+v", c.damage, r.Verdict)
		}
	}
}
