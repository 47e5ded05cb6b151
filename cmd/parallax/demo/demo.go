package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"parallax.example/internal/config"
	"parallax.example/internal/kafka"
	"parallax.example/internal/view"
)

// Deps are what a demonstration takes from outside.
type Deps struct {
	// Execute runs one command line of parallax inside this process.
	Execute func(ctx context.Context, args []string) error
	Out     io.Writer
	Now     func() time.Time
}

// Patience with things that are under way. They only bound a run that hangs.
const (
	startPatience = 30 * time.Second // for a role to say where it listens
	drainPatience = 2 * time.Minute  // for the processors to answer everything sent
	poll          = 50 * time.Millisecond
	stopGrace     = 1700 * time.Millisecond // for all programs to end in order
)

// why events of this data set come late.
const why = "A flight's delay is known only when it leaves, so the most delayed flights are told last."

// Run runs the demonstration to its verdict. The error of an unexplained
// difference carries exit code 1; any other means that there is no verdict.
func Run(ctx context.Context, c Config, d Deps) error {
	views, err := questions(c.Views)
	if err != nil {
		return err
	}
	dir, err := newFolder(c.Runs, d.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(dir.views(), views, 0o644); err != nil {
		return fmt.Errorf("cannot keep the questions: %w", err)
	}
	if !c.Processes {
		// Of eight programs in one process the garbage adds up.
		defer debug.SetGCPercent(debug.SetGCPercent(60))
	}
	// The programs outlive ctx by the time that an orderly end takes.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r := &run{Config: c, Deps: d, dir: dir, inner: inner, roles: map[string]running{}}
	defer r.stopAll()
	return r.run(ctx)
}

// questions reads views.yaml once; what is kept in the run's folder is what all
// programs of this run answer.
func questions(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the questions: %w; start in the project's folder, or name a file with --views", err)
	}
	if _, err := view.Parse(path, text); err != nil {
		return nil, err
	}
	return text, nil
}

// run is one demonstration under way.
type run struct {
	Config
	Deps
	dir     folder
	inner   context.Context
	roles   map[string]running
	brokers string
	topics  kafka.Topics
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

func (r *run) run(ctx context.Context) error {
	r.say("Run %s in %s", r.dir.id(), r.dir.path)
	if err := r.startBroker(ctx); err != nil {
		return err
	}
	admin, err := kafka.NewAdmin(kafka.Config{Brokers: r.brokers, ClientID: "demo"})
	if err != nil {
		return err
	}
	defer admin.Close()
	r.topics = kafka.NewTopics("parallax")
	if err := admin.EnsureTopics(ctx, r.topics.Specs(r.Partitions, 1)); err != nil {
		return err
	}
	if err := r.startServices(ctx); err != nil {
		return err
	}
	if err := r.stream(ctx, admin); err != nil {
		return err
	}
	cut, err := r.ends(ctx, admin)
	if err != nil {
		return err
	}
	if err := r.drain(ctx, admin, cut); err != nil {
		return err
	}
	if err := r.batch(ctx, cut); err != nil {
		return err
	}
	return r.verdict(ctx)
}

func (r *run) startBroker(ctx context.Context) error {
	if err := r.start("broker", "broker", "--addr", r.Addr, "--addr-file", r.dir.brokerAddr()); err != nil {
		return err
	}
	addr, err := r.said(ctx, "broker", r.dir.brokerAddr())
	if err != nil {
		return err
	}
	r.brokers = addr
	r.say("Kafka (embedded) on %s", addr)
	return nil
}

func (r *run) startServices(ctx context.Context) error {
	if err := r.start("reporter", "reporter", "--follow",
		"--brokers", r.brokers, "--views", r.dir.views(), "--ledger", one(r.dir.ledger()), "--lake", r.dir.lake(),
		"--batch", r.dir.answer(), "--out", r.dir.path, "--run-id", r.dir.id(),
		"--dataset", r.dataset(), "--noun", "flight", "--nouns", "flights",
		"--key-noun", "origin", "--unit", "minutes", "--why", why,
		"--page", r.Page, "--page-file", r.dir.pageAddr(), "--serve="+strconv.FormatBool(r.Serve)); err != nil {
		return err
	}
	page, err := r.said(ctx, "reporter", r.dir.pageAddr())
	if err != nil {
		return err
	}
	r.say("Live page: http://%s", page)
	for i := range r.Processors {
		name := processorName(i)
		if err := r.start(name, "processor",
			"--brokers", r.brokers, "--views", r.dir.views(), "--instance", name,
			"--commit-interval", r.CommitInterval.String(), "--batch-records", strconv.Itoa(r.BatchRecords),
			"--session-timeout", r.SessionTimeout.String()); err != nil {
			return err
		}
	}
	return r.start("ingest", "ingest", "--brokers", r.brokers, "--lake", r.dir.lake())
}

// dataset is what the report calls the data.
func (r *run) dataset() string {
	switch {
	case r.Log != "":
		return "the recorded log " + r.Log
	case r.Dataset != "":
		return "flights of " + filepath.Base(r.Dataset)
	}
	return "US domestic flights, 11–17 June 2001"
}

// one is a path as the only entry of a list: a comma in it separates nothing.
func one(path string) string { return strings.ReplaceAll(path, ",", `\,`) }

func processorName(i int) string { return fmt.Sprintf("processor-%d", i+1) }

// stream sends the data, and meanwhile kills what was asked for.
func (r *run) stream(ctx context.Context, admin *kafka.Admin) error {
	args := []string{"generator", "--brokers", r.brokers, "--ledger", r.dir.ledger(), "--run-id", r.dir.id(),
		"--partitions", strconv.Itoa(r.Partitions), "--speed", r.speed(), "--form", r.Form, "--limit", strconv.Itoa(r.Limit)}
	if r.Dataset != "" {
		args = append(args, "--dataset", r.Dataset)
	}
	if r.Log != "" {
		args = append(args, "--log", r.Log)
	}
	if err := r.start("generator", args...); err != nil {
		return err
	}
	if r.Kill == "processor" {
		if err := r.killHalfWay(ctx, admin, processorName(0)); err != nil {
			return err
		}
	}
	return r.finish(ctx, "generator")
}

// killHalfWay waits until a good part of the data is in Kafka, or all of it when
// there is less, and kills.
func (r *run) killHalfWay(ctx context.Context, admin *kafka.Admin, name string) error {
	const enough = 40_000 // of the week's 116,493
	for {
		ends, err := r.ends(ctx, admin)
		if err != nil {
			return err
		}
		var sent int64
		for _, end := range ends {
			sent += end
		}
		goal := int64(enough)
		if r.Limit > 0 {
			goal = min(goal, int64(r.Limit)/2)
		}
		if sent >= goal || over(r.roles["generator"]) {
			victim := r.roles[name]
			victim.Kill()
			<-victim.Ended()
			delete(r.roles, name)
			r.say("kill -9 of %s after %d events; its partitions go to the others", name, sent)
			return nil
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

func over(role running) bool {
	select {
	case <-role.Ended():
		return true
	default:
		return false
	}
}

// ends returns the end offset of each partition of the events.
func (r *run) ends(ctx context.Context, admin *kafka.Admin) ([]int64, error) {
	offsets, err := admin.Offsets(ctx, r.topics.Events, r.partitions())
	if err != nil {
		return nil, err
	}
	ends := make([]int64, r.Partitions)
	for _, o := range offsets {
		ends[o.Partition] = o.High
	}
	return ends, nil
}

func (r *run) partitions() []int32 {
	list := make([]int32, r.Partitions)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}

// drain waits until the stream has answered everything up to the cut, and
// brings the rest into the lake.
func (r *run) drain(ctx context.Context, admin *kafka.Admin, cut []int64) error {
	r.say("Everything is sent. The stream answers the rest, the lake takes it in.")
	deadline := r.Now().Add(drainPatience)
	for {
		done, err := admin.Committed(ctx, "parallax-processor", r.topics.Events, r.partitions())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(done, func(c kafka.Committed) bool { return c.Offset < cut[c.Partition] }) {
			break
		}
		if r.Now().After(deadline) {
			return fmt.Errorf("cannot finish: the processors did not answer everything within %s; see %s", drainPatience, r.dir.in("logs"))
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	for name := range r.roles {
		if strings.HasPrefix(name, "processor-") {
			if err := r.stop(name); err != nil {
				return err
			}
		}
	}
	if err := r.stop("ingest"); err != nil {
		return err
	}
	if err := r.start("ingest-rest", "ingest", "--brokers", r.brokers, "--lake", r.dir.lake(), "--to-end"); err != nil {
		return err
	}
	if err := r.finish(ctx, "ingest-rest"); err != nil {
		return err
	}
	return record(ctx, r.brokers, r.topics.Events, cut, r.dir.recording())
}

// batch answers up to the cut: others may go on sending.
func (r *run) batch(ctx context.Context, cut []int64) error {
	ends := make([]string, len(cut))
	for p, end := range cut {
		ends[p] = fmt.Sprintf("%d=%d", p, end)
	}
	r.say("The batch reads the lake.")
	if err := r.start("batch", "batch", "--lake", r.dir.lake(), "--out", r.dir.in("batch"), "--job", r.dir.id(),
		"--views", r.dir.views(), "--cut", strings.Join(ends, ","), "--workers", strconv.Itoa(r.Workers)); err != nil {
		return err
	}
	return r.finish(ctx, "batch")
}

// verdict waits for the reporter, which compares as soon as the batch's answer
// is there. With --serve it stays until Ctrl-C.
func (r *run) verdict(ctx context.Context) error {
	r.say("The reporter compares.\n")
	return r.finish(ctx, "reporter")
}

// start starts a role. Its own log lines go to its file.
func (r *run) start(name string, args ...string) error {
	args = append(args, "--log-file", r.dir.logFile(name))
	var started running
	if r.Processes {
		p, err := startProcess(role{name, args})
		if err != nil {
			return err
		}
		started = p
	} else {
		started = startGoroutine(r.inner, role{name, args}, r.Execute)
	}
	r.roles[name] = started
	return nil
}

// finish waits until a role has ended by itself.
func (r *run) finish(ctx context.Context, name string) error {
	for {
		select {
		case <-r.roles[name].Ended():
			err := r.roles[name].Err()
			delete(r.roles, name)
			return explain(name, err)
		default:
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

// wait passes a moment. It ends the run when ctx ends, and when a role that
// should be running is not.
func (r *run) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(poll):
	}
	for name, role := range r.roles {
		select {
		case <-role.Ended():
			if err := role.Err(); err != nil {
				return explain(name, err)
			}
		default:
		}
	}
	return nil
}

func explain(name string, err error) error {
	var said config.Told
	if err == nil || errors.As(err, &said) || name == "reporter" {
		return err // its own words are on the screen, or are the verdict
	}
	return fmt.Errorf("the %s stopped: %w", name, err)
}

func (r *run) stop(name string) error {
	role := r.roles[name]
	role.Stop()
	<-role.Ended()
	delete(r.roles, name)
	return explain(name, role.Err())
}

// stopAll stops what still runs, the broker after all others: they end in order
// only while it answers.
func (r *run) stopAll() {
	var others []running
	for name, role := range r.roles {
		if name != "broker" {
			others = append(others, role)
		}
	}
	end(others)
	if broker, ok := r.roles["broker"]; ok {
		end([]running{broker})
	}
}

// end stops roles at the same time. Who does not follow within the grace is killed.
func end(roles []running) {
	for _, role := range roles {
		role.Stop()
	}
	grace := time.After(stopGrace)
	for _, role := range roles {
		select {
		case <-role.Ended():
		case <-grace:
			for _, role := range roles {
				role.Kill()
			}
			return
		}
	}
}

// said waits for the file in which a role tells where it listens.
func (r *run) said(ctx context.Context, name, file string) (string, error) {
	deadline := r.Now().Add(startPatience)
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			return strings.TrimSpace(string(text)), nil
		}
		select {
		case <-r.roles[name].Ended():
			if err := r.roles[name].Err(); err != nil {
				delete(r.roles, name)
				return "", explain(name, err)
			}
		default:
		}
		if r.Now().After(deadline) {
			return "", fmt.Errorf("cannot start the %s: it did not say where it listens within %s", name, startPatience)
		}
		if err := r.wait(ctx); err != nil {
			return "", err
		}
	}
}
