package check

import (
	"fmt"
	"slices"

	"parallax.example/internal/oracle"
	"parallax.example/internal/result"
)

// Violation is a promise that was not kept, or an assumption that did not hold.
type Violation struct {
	Check   string // the name of the check
	Message string
}

func (v Violation) String() string { return v.Check + ": " + v.Message }

// Report is what the checks found.
type Report struct {
	Violations []Violation
	Events     int // messages in the log
	Lost       int // of them, or of the acknowledged ones: told nowhere
	Doubled    int // stored or told more than once
	Cells      int // rows that differ from the right answer, on any side
}

// OK says that nothing was found.
func (r *Report) OK() bool { return len(r.Violations) == 0 }

// The checks, in their order. The first two are assumptions: if one of them
// fails, the others would only say the same in many words. Those marked once are
// about what only exactly once promises: how its transactions lie in the topics.
var checks = []struct {
	name string
	run  func(*run)
	once bool
}{
	{"assumptions", assumptions, false},
	{"quiet", quiet, false},
	{"ledger", ledgerOnce, false},
	{"readers", readers, false},
	{"transactions", transactions, true},
	{"order", order, true},
	{"stream", stream, false},
	{"early", early, true},
	{"conservation", conservation, true},
	{"changelog", changelog, true},
	{"position", position, true},
	{"lake", lakeIsLog, false},
	{"batch", batchAnswers, false},
	{"truth", truth, false},
	{"reporter", reporter, false},
	{"recovery", recovery, false},
}

const prerequisites = 2

// Names lists the checks.
func Names() []string {
	var list []string
	for _, c := range checks {
		list = append(list, c.name)
	}
	return list
}

// Run runs all checks.
func Run(e *Evidence) *Report {
	r := &run{Evidence: e, report: &Report{Events: len(e.Events.Records)}}
	r.read()
	for i, c := range checks {
		if i == prerequisites && !r.report.OK() {
			break
		}
		if c.once && r.Weaker {
			continue
		}
		r.name, r.said = c.name, 0
		c.run(r)
		if more := r.said - mostSaid; more > 0 {
			r.report.Violations = append(r.report.Violations, Violation{c.name, fmt.Sprintf("and %d more", more)})
		}
	}
	return r.report
}

// mostSaid is how many violations of one check are told in full.
const mostSaid = 5

// run is the evidence with what the checks share.
type run struct {
	*Evidence
	report *Report
	name   string // of the check that runs
	said   int    // violations of it

	log        []oracle.Record
	want, all  *oracle.Answer
	results    []told[result.Result]
	exclusions []told[result.Exclusion]
	dead       []told[result.DeadLetter]
}

// told is a decoded message and where it lies.
type told[T any] struct {
	Record
	Message T
}

// fail notes a violation of the check that runs.
func (r *run) fail(format string, args ...any) {
	r.said++
	if r.said <= mostSaid {
		r.report.Violations = append(r.report.Violations, Violation{r.name, fmt.Sprintf(format, args...)})
	}
}

// read decodes everything and asks the oracle.
func (r *run) read() {
	r.name = "stream"
	for _, m := range r.Events.Records {
		r.log = append(r.log, oracle.Record{Partition: m.Partition, Offset: m.Offset, Value: m.Value})
	}
	r.want, r.all = oracle.Stream(r.Views, r.log), oracle.All(r.Views, r.log)
	r.results = decode(r, &r.Results, func(m *result.Result, b []byte) error { return m.Decode(b) })
	r.exclusions = decode(r, &r.Excluded, func(m *result.Exclusion, b []byte) error { return m.Decode(b) })
	r.dead = decode(r, &r.DeadLetters, func(m *result.DeadLetter, b []byte) error { return m.Decode(b) })
}

func decode[T any](r *run, t *Topic, into func(*T, []byte) error) []told[T] {
	list := make([]told[T], 0, len(t.Records))
	for _, m := range t.Records {
		one := told[T]{Record: m}
		if err := into(&one.Message, m.Value); err != nil {
			r.fail("topic %q, %d/%d: %v", t.Name, m.Partition, m.Offset, err)
			continue
		}
		list = append(list, one)
	}
	return list
}

func (r *run) partitions() int { return len(r.Events.Ends) }

// topics are all of them.
func (r *run) topics() []*Topic {
	return []*Topic{&r.Events, &r.Results, &r.Excluded, &r.DeadLetters, &r.Changelog}
}

// of returns the records of one partition.
func (t *Topic) of(partition int) []Record {
	i, _ := slices.BinarySearchFunc(t.Records, int32(partition), func(m Record, p int32) int { return int(m.Partition - p) })
	j, _ := slices.BinarySearchFunc(t.Records, int32(partition)+1, func(m Record, p int32) int { return int(m.Partition - p) })
	return t.Records[i:j]
}
