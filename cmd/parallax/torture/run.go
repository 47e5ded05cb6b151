package torture

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"parallax.example/cmd/parallax/child"
	"parallax.example/cmd/parallax/torture/check"
	"parallax.example/internal/kafka"
)

// run is one run of one row.
type run struct {
	row     *row
	seed    uint64
	rng     *rand.Rand // of the plan; the load has its own
	cluster *cluster
	admin   *kafka.Admin
	dir     string
	prefix  string // of the topics; the group has the same name
	topics  kafka.Topics

	// Drawn from the seed.
	processors   int
	guarantee    string
	lake         bool // with ingest, batch and reporter
	static       bool // processors keep their names in the group
	commit       time.Duration
	batch        int
	session      time.Duration
	patience     time.Duration // until everything is answered
	transaction  time.Duration
	events       int
	lasts        time.Duration // how long the load is sent
	rows         int           // of a manifest of the ingest
	span         time.Duration // of a manifest of the ingest
	speed        string        // of the generator
	started      map[string]int
	roles        map[string]*role
	mu           sync.Mutex
	procs        []*child.Process // all that were started, guarded by mu
	views        string
	load         func(path string) error
	hits         []hit
	armed        bool // a program was started with failpoints
	measured     measured
	tail         *tail
	reporterSaid string
}

// hit is a fault that happened.
type hit struct {
	at         time.Time
	partitions []int32 // that were owned by whom it hit
	before     [partitions]int64
	grace      time.Duration // for what was already on its way to the readers
}

// usual is how many messages a run has when nobody says otherwise.
const usual = 3000

// streamFor is how long the load of a run is sent. A fault comes in its middle.
const streamFor = 1500 * time.Millisecond

func newRun(r *row, seed uint64, c *cluster, admin *kafka.Admin, config *Config, dir string) *run {
	h := uint64(14695981039346656037)
	for _, b := range []byte(r.name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	rng := rand.New(rand.NewPCG(seed, h))
	session, patience := config.session(), drainFor
	if r.broker {
		// A broker takes many seconds to come back; who gives up sooner only starts
		// again and again.
		session, patience = max(session, 6*time.Second), 4*drainFor
	}
	o := &run{
		row: r, seed: seed, rng: rng, cluster: c, admin: admin, dir: dir,
		guarantee: config.Guarantee, lake: r.lake || config.weaker(),
		processors: 2 + rng.IntN(2), static: rng.IntN(2) == 0,
		commit:  []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond}[rng.IntN(3)],
		batch:   []int{20, 200, 65536}[rng.IntN(3)],
		session: session, patience: patience, transaction: max(session*6/10, time.Second),
		events: cmp.Or(config.Events, r.events, usual), lasts: max(r.lasts, streamFor) + time.Duration(max(0, config.Events-10_000))*100*time.Microsecond,
		rows: 150, span: 100 * time.Millisecond, speed: "1",
		started: map[string]int{}, roles: map[string]*role{}, views: views,
	}
	o.load = func(path string) error { return newLoad(seed).write(path, o.events, o.lasts) }
	if config.weaker() {
		o.lasts *= 3 // they wait for three acknowledgements, so they come to fewer commits
	}
	if r.plan != nil {
		r.plan(o)
	}
	return o
}

// most is longer than any run takes that is not stuck.
func (r *run) most() time.Duration {
	most := 2*r.patience + 4*r.bound() + 2*r.lasts
	if r.row.long {
		most += judging
	}
	return most
}

// judging is how long it may take to judge millions of messages.
const judging = 30 * time.Minute

func (r *run) in(names ...string) string { return filepath.Join(append([]string{r.dir}, names...)...) }

// do is the whole run. An error means that it could not be brought to its end,
// which is a violation as any other.
func (r *run) do(ctx context.Context) (report *check.Report, err error) {
	defer r.killAll()
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if r.tail != nil {
			_ = r.tail.stop() // a failure was told by await
		}
	}()
	if r.row.whole != nil {
		return r.row.whole(ctx, r)
	}
	if err := r.stream(ctx); err != nil {
		return nil, err
	}
	if err := r.answer(ctx); err != nil {
		return nil, err
	}
	e, err := r.evidence(ctx)
	if err != nil {
		return nil, err
	}
	report = check.Run(e)
	if !report.OK() {
		err = r.keep(e)
	}
	return report, err
}

// prepare makes the folder, the load and the topics.
func (r *run) prepare(ctx context.Context) error {
	for _, d := range []string{"logs", "lake", "batch", "report"} {
		if err := os.MkdirAll(r.in(d), 0o755); err != nil {
			return fmt.Errorf("cannot make the run's folder: %w", err)
		}
	}
	if err := os.WriteFile(r.in("views.yaml"), []byte(r.views), 0o644); err != nil {
		return fmt.Errorf("cannot write the views: %w", err)
	}
	if err := r.load(r.in("load.parquet")); err != nil {
		return err
	}
	r.prefix = fmt.Sprintf("t%d-%d", os.Getpid(), r.cluster.number.Add(1))
	r.topics = kafka.NewTopics(r.prefix)
	return r.admin.EnsureTopics(ctx, r.topics.Specs(partitions, 1))
}

// stream sends the load through the processors, with the row's fault in the middle.
func (r *run) stream(ctx context.Context) (err error) {
	if r.tail, err = follow(kafka.Config{Brokers: r.cluster.brokers, ClientID: "torture"}, r.topics); err != nil {
		return err
	}
	if r.row.before != nil {
		if err := r.row.before(ctx, r); err != nil {
			return err
		}
	}
	if err := r.heal(); err != nil {
		return err
	}
	if err := r.startGenerator(); err != nil {
		return err
	}
	if r.row.during != nil {
		if err := r.row.during(ctx, r); err != nil {
			return err
		}
	}
	if err := r.heal(); err != nil {
		return err
	}
	return r.drain(ctx)
}

// heal starts whatever should run and does not.
func (r *run) heal() error {
	for i := range r.processors {
		if r.roles[processor(i)] == nil {
			if err := r.startProcessor(i); err != nil {
				return err
			}
		}
	}
	if r.lake && r.roles["ingest"] == nil {
		return r.startIngest("ingest")
	}
	return nil
}

// drain waits until everything is sent and answered, and ends the processors.
func (r *run) drain(ctx context.Context) error {
	if err := r.answered(ctx); err != nil {
		return err
	}
	var names []string
	for name := range r.roles {
		names = append(names, name)
	}
	return r.stop(ctx, names...)
}

// answered waits until everything is sent and answered.
func (r *run) answered(ctx context.Context) error {
	if r.roles["generator"] != nil {
		if err := r.finish(ctx, "generator"); err != nil {
			return err
		}
	}
	all := make([]int32, partitions)
	for p := range all {
		all[p] = int32(p)
	}
	soon, cancel := context.WithTimeout(ctx, r.patience) // Kafka may just have come back
	defer cancel()
	ends, err := r.admin.Offsets(soon, r.topics.Events, all)
	if err != nil {
		return err
	}
	return r.await(ctx, "the processors to answer everything", r.patience, func() bool {
		next := r.tail.committed()
		return !slices.ContainsFunc(ends, func(o kafka.Offsets) bool { return next[o.Partition] < o.High })
	})
}

// answer lets the batch and the reporter answer, where the row is about them.
func (r *run) answer(ctx context.Context) error {
	if !r.lake {
		return nil
	}
	if err := r.toEnd(ctx); err != nil {
		return err
	}
	if r.row.batch != nil {
		if err := r.row.batch(ctx, r); err != nil {
			return err
		}
	} else if err := r.runBatch(ctx); err != nil {
		return err
	}
	if r.row.reporter != nil {
		return r.row.reporter(ctx, r)
	}
	return r.runReporter(ctx)
}

func (r *run) toEnd(ctx context.Context) error {
	if err := r.start("ingest-rest", "", "ingest", "--brokers", r.cluster.brokers, "--topic-prefix", r.prefix,
		"--group", r.prefix+"-rest", "--lake", r.in("lake"), "--rows", strconv.Itoa(4*r.rows), "--to-end"); err != nil {
		return err
	}
	return r.finish(ctx, "ingest-rest")
}

func (r *run) startBatch(armed string) error {
	return r.start("batch", armed, "batch", "--lake", r.in("lake"), "--out", r.in("batch"), "--job", "job",
		"--views", r.in("views.yaml"), "--workers", "2")
}

func (r *run) runBatch(ctx context.Context) error {
	if err := r.startBatch(""); err != nil {
		return err
	}
	return r.finish(ctx, "batch")
}

func (r *run) startReporter(armed string) error {
	return r.start("reporter", armed, "reporter", "--brokers", r.cluster.brokers, "--topic-prefix", r.prefix, "--group", r.prefix,
		"--views", r.in("views.yaml"), "--ledger", one(r.in("generator.ledger")), "--lake", r.in("lake"),
		"--batch", r.in("batch", "job"), "--out", r.in("report"))
}

// runReporter keeps what the reporter says: to be wrong is no failure of its run.
func (r *run) runReporter(ctx context.Context) error {
	if err := r.startReporter(""); err != nil {
		return err
	}
	role := r.roles["reporter"]
	role.doomed = true // its exit code is the verdict
	if err := r.ended(ctx, "reporter"); err != nil {
		return err
	}
	if role.proc.Err() != nil {
		r.reporterSaid = role.last()
	}
	return nil
}

func (r *run) startProcessor(i int) error { return r.startArmed(i, "") }

func (r *run) startArmed(i int, armed string) error {
	args := []string{"processor", "--brokers", r.cluster.brokers, "--topic-prefix", r.prefix, "--group", r.prefix,
		"--views", r.in("views.yaml"), "--commit-interval", r.commit.String(), "--batch-records", strconv.Itoa(r.batch),
		"--session-timeout", r.session.String(), "--transaction-timeout", r.transaction.String(), "--guarantee", r.guarantee}
	if r.static {
		args = append(args, "--instance", processor(i))
	}
	return r.start(processor(i), armed, args...)
}

func processor(i int) string { return fmt.Sprintf("processor-%d", i+1) }

func (r *run) startIngest(name string) error { return r.startIngestArmed(name, "") }

func (r *run) startIngestArmed(name, armed string) error {
	return r.start(name, armed, "ingest", "--brokers", r.cluster.brokers, "--topic-prefix", r.prefix, "--group", r.prefix+"-"+name,
		"--lake", r.in("lake"), "--rows", strconv.Itoa(r.rows), "--span", r.span.String(), "--session-timeout", r.session.String())
}

func (r *run) startGenerator() error { return r.startGeneratorArmed("") }

func (r *run) startGeneratorArmed(armed string) error {
	return r.start("generator", armed, "generator", "--brokers", r.cluster.brokers, "--topic-prefix", r.prefix,
		"--partitions", strconv.Itoa(partitions), "--log", r.in("load.parquet"), "--speed", r.speed,
		"--ledger", r.in("generator.ledger"), "--run-id", r.prefix)
}
