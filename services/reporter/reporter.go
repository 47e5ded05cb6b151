package reporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
	"parallax.example/internal/lake"
	"parallax.example/internal/view"
	"parallax.example/services/reporter/collect"
	"parallax.example/services/reporter/compare"
	"parallax.example/services/reporter/gather"
	"parallax.example/services/reporter/render"
	"parallax.example/services/reporter/report"
)

// Deps are what a reporter is given.
type Deps struct {
	Log     *slog.Logger
	Summary io.Writer // takes the summary for a terminal
	Color   bool      // of the summary
	Now     func() time.Time
}

// Reporter is one comparison.
type Reporter struct {
	config    Config
	deps      Deps
	views     *view.File
	topics    kafka.Topics
	collector atomic.Pointer[collect.Collector] // Live may be asked from elsewhere
}

// New reads the views and makes a reporter.
func New(c Config, d Deps) (*Reporter, error) {
	b, err := os.ReadFile(c.Views)
	if err != nil {
		return nil, fmt.Errorf("cannot read the views: %w", err)
	}
	views, err := view.Parse(c.Views, b)
	if err != nil {
		return nil, err
	}
	return &Reporter{config: c, deps: d, views: views, topics: kafka.NewTopics(c.TopicPrefix)}, nil
}

// Start begins to collect what the stream commits. The topics must exist.
// Without it Run starts by itself, and measures no latency of what is there.
func (r *Reporter) Start(ctx context.Context) error {
	c, err := collect.Start(ctx, collect.Config{
		Kafka:  kafka.Config{Brokers: r.config.Brokers, ClientID: "parallax-reporter", Log: r.deps.Log},
		Topics: r.topics, Views: r.views, Group: r.config.Group, Now: r.deps.Now,
	})
	if err != nil {
		return err
	}
	r.collector.Store(c)
	return nil
}

// Stop ends the collecting without a verdict; after Run it does nothing.
func (r *Reporter) Stop() error {
	if c := r.collector.Load(); c != nil {
		return c.Stop()
	}
	return nil
}

// Run compares, writes the files into Config.Out and the summary, and returns
// nil, or an error whose ExitCode is the verdict's.
func (r *Reporter) Run(ctx context.Context) error {
	_, err := r.finish(ctx)
	return err
}

// finish is Run with its report; nil if the comparison was interrupted.
func (r *Reporter) finish(ctx context.Context) (*report.Report, error) {
	rep, cells, err := r.Compare(ctx)
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err := render.All(r.config.Out, rep, cells); err != nil {
		return nil, err
	}
	if err := render.Terminal(r.deps.Summary, rep, r.deps.Color); err != nil {
		return nil, fmt.Errorf("cannot write the summary: %w", err)
	}
	fmt.Fprintf(r.deps.Summary, "\nThe whole report: %s\n", filepath.Join(r.config.Out, "report.html"))
	switch {
	case err != nil:
		return rep, err
	case rep.Verdict.ExitCode != config.ExitOK:
		return rep, &Verdict{rep.Verdict}
	}
	return rep, nil
}

// Verdict is a verdict that is not "explained", as an error.
type Verdict struct{ report.Verdict }

func (v *Verdict) Error() string { return v.Headline }

// ExitCode is what the program ends with.
func (v *Verdict) ExitCode() int { return v.Verdict.ExitCode }

// Compare waits until the stream has come to the batch's cut and returns the
// report and all cells. With an error, nothing could be compared, and the
// report says so.
func (r *Reporter) Compare(ctx context.Context) (*report.Report, []report.Cell, error) {
	rep := &report.Report{Run: report.Run{
		ID: r.config.RunID, Created: report.Time(r.deps.Now().UnixMicro()), Tool: "parallax " + config.Version(), Dataset: r.config.Dataset,
		Noun: r.config.Noun, Nouns: r.config.Nouns, Key: r.config.KeyNoun, Unit: r.config.Unit, Why: r.config.Why,
	}}
	cells, err := r.compare(ctx, rep)
	if err != nil {
		reason, advice := err.Error(), ""
		var refusal *compare.Refusal
		if errors.As(err, &refusal) {
			reason, advice = refusal.Reason, refusal.Advice
		}
		rep.Refuse(reason, advice)
		return rep, nil, errors.Join(err, r.Stop())
	}
	rep.Conclude()
	return rep, cells, nil
}

func (r *Reporter) compare(ctx context.Context, rep *report.Report) ([]report.Cell, error) {
	answer, err := gather.Batch(r.config.Batch)
	if err != nil {
		return nil, err
	}
	if err := r.answers(answer); err != nil {
		return nil, err
	}
	sent, err := gather.Ledgers(r.topics.Events, r.config.Ledger)
	if err != nil {
		return nil, err
	}
	log, err := r.lake(ctx, answer)
	if err != nil {
		return nil, err
	}
	if r.collector.Load() == nil {
		if err := r.Start(ctx); err != nil {
			return nil, err
		}
	}
	stream, timing, err := r.collector.Load().CatchUp(ctx, log.Ends, r.config.Stall)
	if err != nil {
		return nil, err
	}
	cells, err := compare.Run(&compare.Input{
		Views: r.views, Cut: answer.Cut, Ledger: sent.Entries, Log: log.Events, Dead: log.Dead, Advances: log.Advances, Stream: stream, Batch: answer.Batch,
	}, rep)
	if err != nil {
		return nil, err
	}
	rep.Latency = slices.DeleteFunc(timing.Latencies, func(l report.Latency) bool { return l.Count == 0 })
	rep.Freshness = freshness(sent, timing, answer)
	return cells, nil
}

// answers checks that the batch was asked what is compared.
func (r *Reporter) answers(a *gather.Answer) error {
	if a.Topic != r.topics.Events {
		return &compare.Refusal{
			Reason: fmt.Sprintf("the batch read topic %q, and topic %q is compared", a.Topic, r.topics.Events),
			Advice: "Name the batch's folder of this topic, or another topic prefix.",
		}
	}
	for i := range r.views.Views {
		if id := r.views.Views[i].ID(); !slices.Contains(a.Views, id) {
			return &compare.Refusal{
				Reason: fmt.Sprintf("the batch does not answer the view %q", id),
				Advice: "Run the batch with this views.yaml.",
			}
		}
	}
	return nil
}

// lake reads the log below the batch's cut.
func (r *Reporter) lake(ctx context.Context, a *gather.Answer) (*gather.Log, error) {
	d, err := lake.Open(r.config.Lake)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // nothing was written
	cut := map[int32]int64{}
	for _, p := range a.Cut {
		if p.Records.Total > 0 { // of an untouched partition the lake has no chain
			cut[p.Partition] = p.End
		}
	}
	log, err := gather.Lake(ctx, d, r.topics.Events, cut, &r.views.Time)
	if err == nil && log.TopicID != a.TopicID && len(log.Events)+len(log.Dead) > 0 {
		err = &compare.Refusal{
			Reason: fmt.Sprintf("the lake is of the topic with id %s, and the batch read one with id %s", log.TopicID, a.TopicID),
			Advice: "Compare with the lake that the batch read.",
		}
	}
	return log, err
}

// freshness says how long each side's answer took, where that was seen.
func freshness(sent *gather.Sending, t collect.Timing, a *gather.Answer) []report.Freshness {
	list := []report.Freshness{}
	add := func(side string, from int64, start string, to int64, end string) {
		if from > 0 && to > 0 {
			list = append(list, report.Freshness{Side: side, Start: start, End: end, Length: to - from})
		}
	}
	const first, last = "the first event was scheduled to be sent", "the last event was scheduled to be sent"
	add("stream", sent.First, first, t.FirstRow, "the first row could be read")
	add("stream", sent.Last, last, t.LastFinal, "the last final row could be read")
	add("batch", sent.First, first, a.Finished, "the answer was complete")
	add("batch", sent.Last, last, a.Finished, "the answer was complete")
	return list
}
