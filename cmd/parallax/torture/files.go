package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

var generatorRows = []row{
	{name: "generator-kill", group: "generator", what: "kill -9 of the generator, which goes on with its ledger, twice", wants: 2, lake: true, lasts: unsent, during: killGenerator},
	{name: "generator-freeze", group: "generator", what: "SIGSTOP of the generator", wants: 1, lake: true, during: freezeGenerator},
	generatorPoint("generator/before-sync"),
	generatorPoint("generator/synced"),
	generatorPoint("generator/sent"),
	generatorPoint("generator/settled"),
}

var ingestRows = []row{
	{name: "ingest-kill", group: "ingest", what: "kill -9 of the ingest again and again", wants: 3, lake: true, during: killIngest},
	{name: "ingest-freeze", group: "ingest", what: "SIGSTOP of the ingest, while another one takes in the same", wants: 1, lake: true, during: freezeIngest},
	{name: "ingest-race", group: "ingest", what: "three ingesters of different groups write the same lake, one is killed", wants: 1, lake: true, during: raceIngest},
	ingestPoint("ingest/mid-file"),
	ingestPoint("ingest/before-sync"),
	ingestPoint("ingest/renamed"),
	ingestPoint("ingest/before-link"),
	ingestPoint("ingest/linked"),
}

var batchRows = []row{
	{name: "batch-kill", group: "batch", what: "kill -9 of the batch again and again, then the same job once more", wants: 1, lake: true, batch: killBatch},
	{name: "batch-twice", group: "batch", what: "two coordinators answer the same job at once", wants: 1, lake: true, batch: batchTwice},
	batchPoint("batch/mid-task"),
	batchPoint("batch/before-task-commit"),
	batchPoint("batch/task-committed"),
	batchPoint("batch/before-publish"),
	batchPoint("batch/published"),
	batchPoint("batch/before-success"),
	batchPoint("batch/success"),
}

var reporterRows = []row{
	{name: "reporter-kill", group: "reporter", what: "kill -9 of the reporter, then once more", wants: 1, lake: true, reporter: killReporter},
	reporterPoint("reporter/before-rename"),
	reporterPoint("reporter/renamed"),
}

// unsent is how long the load is sent where the generator is killed: it must have
// something left to send, also on a busy machine.
const unsent = 4 * time.Second

func generatorPoint(name string) row {
	return row{name: name, group: "generator", what: "kill -9 of the generator at this failpoint, which goes on with its ledger", wants: 1, lake: true, lasts: unsent,
		during: func(ctx context.Context, r *run) error {
			if err := r.midway(ctx); err != nil {
				return err
			}
			r.note("generator")
			r.kill("generator")
			// The last of them is sure to come only once, behind the first message.
			if err := r.startGeneratorArmed(name + "=kill"); err != nil {
				return err
			}
			if err := r.died(ctx, "generator", drainFor); err != nil {
				return err
			}
			return r.startGenerator()
		}}
}

func killGenerator(ctx context.Context, r *run) error {
	for range 2 {
		if err := r.soon(ctx, 600*time.Millisecond); err != nil {
			return err
		}
		if o := r.roles["generator"]; o.over() {
			return errors.New("the generator had sent everything before it could be killed")
		}
		r.note("generator")
		r.kill("generator")
		if err := r.startGenerator(); err != nil {
			return err
		}
	}
	return nil
}

func freezeGenerator(ctx context.Context, r *run) error {
	if err := r.midway(ctx); err != nil {
		return err
	}
	r.note("generator")
	return r.freeze(ctx, 200*time.Millisecond+time.Duration(r.rng.Int64N(int64(r.session))), "generator")
}

// partlyTaken waits until the lake holds something.
func (r *run) partlyTaken(ctx context.Context) error {
	return r.await(ctx, "the first manifests", drainFor, func() bool {
		entries, err := os.ReadDir(r.in("lake", "manifests", r.topics.Events))
		return err == nil && len(entries) > 0
	})
}

func killIngest(ctx context.Context, r *run) error {
	if err := r.partlyTaken(ctx); err != nil {
		return err
	}
	for range 3 {
		if err := r.soon(ctx, 400*time.Millisecond); err != nil {
			return err
		}
		r.note("ingest")
		r.kill("ingest")
		if err := r.startIngest("ingest"); err != nil {
			return err
		}
	}
	return nil
}

func freezeIngest(ctx context.Context, r *run) error {
	if err := r.partlyTaken(ctx); err != nil {
		return err
	}
	r.note("ingest")
	r.roles["ingest"].proc.Freeze()
	if err := r.startIngest("ingest-2"); err != nil {
		return err
	}
	err := r.pause(ctx, time.Second+time.Duration(r.rng.Int64N(int64(time.Second))))
	r.roles["ingest"].proc.Thaw()
	return err
}

func raceIngest(ctx context.Context, r *run) error {
	for _, name := range []string{"ingest-2", "ingest-3"} {
		if err := r.startIngest(name); err != nil {
			return err
		}
	}
	if err := r.partlyTaken(ctx); err != nil {
		return err
	}
	if err := r.soon(ctx, 600*time.Millisecond); err != nil {
		return err
	}
	r.note("ingest-2")
	r.kill("ingest-2")
	return nil
}

func ingestPoint(name string) row {
	return row{name: name, group: "ingest", what: "kill -9 of the ingest at this failpoint", wants: 1, lake: true,
		during: func(ctx context.Context, r *run) error {
			if err := r.partlyTaken(ctx); err != nil {
				return err
			}
			r.note("ingest")
			r.kill("ingest")
			if err := r.startIngestArmed("ingest", fmt.Sprintf("%s=kill@%d", name, 1+r.rng.IntN(3))); err != nil {
				return err
			}
			return r.died(ctx, "ingest", drainFor)
		}}
}

// killBatch kills the batch up to three times, unless it was faster.
func killBatch(ctx context.Context, r *run) error {
	for range 3 {
		if err := r.startBatch(""); err != nil {
			return err
		}
		o := r.roles["batch"]
		if err := r.pause(ctx, 20*time.Millisecond+time.Duration(r.rng.Int64N(int64(60*time.Millisecond)))); err != nil {
			return err
		}
		if o.over() {
			return r.finish(ctx, "batch")
		}
		r.note("batch")
		r.kill("batch")
		if _, err := os.Stat(r.in("batch", "job", "_SUCCESS.json")); err == nil {
			return nil // it was killed behind its end
		}
	}
	return r.runBatch(ctx)
}

func batchTwice(ctx context.Context, r *run) error {
	if err := r.startBatch(""); err != nil {
		return err
	}
	first := r.roles["batch"]
	delete(r.roles, "batch")
	r.roles["batch-2"] = first
	if err := r.soon(ctx, 60*time.Millisecond); err != nil {
		return err
	}
	r.note("batch-2")
	if err := r.startBatch(""); err != nil {
		return err
	}
	second := r.roles["batch"]
	first.doomed, second.doomed = true, true // one of them may learn that the other was first
	if err := errors.Join(r.ended(ctx, "batch"), r.ended(ctx, "batch-2")); err != nil {
		return err
	}
	if first.proc.Err() != nil && second.proc.Err() != nil {
		return fmt.Errorf("both coordinators failed: %s; %s", first.last(), second.last())
	}
	return nil
}

func batchPoint(name string) row {
	return row{name: name, group: "batch", what: "kill -9 of the batch at this failpoint, then the same job once more", wants: 1, lake: true,
		batch: func(ctx context.Context, r *run) error {
			if err := r.startBatch(name + "=kill@1"); err != nil {
				return err
			}
			if err := r.died(ctx, "batch", drainFor); err != nil {
				return err
			}
			if name == "batch/success" {
				return nil // the answer is there
			}
			return r.runBatch(ctx)
		}}
}

func killReporter(ctx context.Context, r *run) error {
	if err := r.startReporter(""); err != nil {
		return err
	}
	if err := r.soon(ctx, 300*time.Millisecond); err != nil {
		return err
	}
	r.note("reporter")
	r.kill("reporter")
	return r.runReporter(ctx)
}

func reporterPoint(name string) row {
	return row{name: name, group: "reporter", what: "kill -9 of the reporter at this failpoint, then once more", wants: 1, lake: true,
		reporter: func(ctx context.Context, r *run) error {
			if err := r.startReporter(name + "=kill@1"); err != nil {
				return err
			}
			if err := r.died(ctx, "reporter", drainFor); err != nil {
				return err
			}
			return r.runReporter(ctx)
		}}
}
