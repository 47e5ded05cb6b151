package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"parallax.example/cmd/parallax/child"
	"parallax.example/internal/config"
	"parallax.example/internal/failpoint"
)

// role is a started program.
type role struct {
	name   string
	args   []string
	proc   *child.Process
	log    string // path of what it printed
	doomed bool   // its end is no surprise
}

// start starts a program: a command line of parallax. armed are its failpoints.
func (r *run) start(name, armed string, args ...string) error {
	if r.roles[name] != nil {
		panic("BUG: " + name + " is started twice")
	}
	r.started[name]++
	o := &role{name: name, args: args, log: r.in("logs", fmt.Sprintf("%s.%d.log", name, r.started[name])), doomed: armed != ""}
	out, err := os.Create(o.log)
	if err != nil {
		return fmt.Errorf("cannot start the %s: %w", name, err)
	}
	defer out.Close() // the program has its own
	command := child.Command{Name: name, Args: args, Stdout: out, Stderr: out}
	if armed != "" {
		r.armed = true
		command.Env = []string{failpoint.Variable + "=" + armed, failpoint.LogVariable + "=" + r.in("fired.log")}
	}
	if o.proc, err = child.Start(command); err != nil {
		return err
	}
	r.roles[name] = o
	r.mu.Lock()
	defer r.mu.Unlock()
	r.procs = append(r.procs, o.proc)
	return nil
}

// killStuck ends all that a run has started, while the run itself hangs.
func (r *run) killStuck() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.procs {
		p.Kill()
	}
}

func (o *role) over() bool {
	select {
	case <-o.proc.Ended():
		return true
	default:
		return false
	}
}

// last is the last line that the program printed.
func (o *role) last() string {
	b, err := os.ReadFile(o.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// text is everything that the program printed so far.
func (o *role) text() string {
	b, err := os.ReadFile(o.log)
	if err != nil {
		return ""
	}
	return string(b)
}

// await polls until a condition holds. A program that ends without being told
// to, and patience that is over, are errors.
func (r *run) await(ctx context.Context, what string, patience time.Duration, done func() bool) error {
	deadline := time.Now().Add(patience)
	for !done() {
		if err := r.surprise(); err != nil {
			return err
		}
		if r.tail != nil {
			if err := r.tail.failure(); err != nil {
				return fmt.Errorf("cannot follow the run: %w", err)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain for %s", patience, what)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(glance):
		}
	}
	return nil
}

// pause lets time pass, while all programs must run on.
func (r *run) pause(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	return r.await(ctx, "time", d+time.Minute, func() bool { return !time.Now().Before(end) })
}

// surprise is a program that ended with an error and was not meant to. While
// Kafka itself is broken a program may give up with a message, and is started
// again, as whoever runs it would.
func (r *run) surprise() error {
	for name, o := range r.roles {
		if o.doomed || !o.over() || o.proc.Err() == nil {
			continue
		}
		if told := config.Told(0); r.row.broker && errors.As(o.proc.Err(), &told) && told.ExitCode() == config.ExitCannot && r.started[name] < mostStarts {
			delete(r.roles, name)
			if err := r.start(name, "", o.args...); err != nil {
				return err
			}
			continue
		}
		return fmt.Errorf("the %s ended by itself: %w: %s", name, o.proc.Err(), o.last())
	}
	return nil
}

// mostStarts is how often a program is started in a run in which Kafka breaks.
const mostStarts = 20

// ended waits for the end of a program, however it ends.
func (r *run) ended(ctx context.Context, name string) error {
	if err := r.await(ctx, "the end of "+name, 2*drainFor+r.lasts, func() bool { return r.roles[name].over() }); err != nil {
		return err
	}
	delete(r.roles, name)
	return nil
}

// finish waits for the regular end of a program.
func (r *run) finish(ctx context.Context, name string) error {
	o := r.roles[name]
	// Where it may be started again, only a regular end is one.
	if err := r.await(ctx, "the end of "+name, 2*drainFor+r.lasts, func() bool { o = r.roles[name]; return o.over() && (o.proc.Err() == nil || o.doomed) }); err != nil {
		return err
	}
	delete(r.roles, name)
	if err := o.proc.Err(); err != nil {
		return fmt.Errorf("the %s failed: %w: %s", name, err, o.last())
	}
	return nil
}

// stop asks programs to end, all at once. One that was asked before it could
// listen ends by the signal, or says so, which is as good.
func (r *run) stop(ctx context.Context, names ...string) error {
	if err := r.surprise(); err != nil { // who gave up meanwhile is started once more, where that is right
		return err
	}
	var asked []*role
	for _, name := range names {
		asked = append(asked, r.roles[name])
		r.roles[name].doomed = true
		r.roles[name].proc.Stop()
	}
	var errs []error
	for i, name := range names {
		if err := r.ended(ctx, name); err != nil {
			return err
		}
		if err := asked[i].proc.Err(); err != nil && err.Error() != "signal: "+syscall.SIGTERM.String() && !errors.Is(err, config.Told(config.ExitTerminated)) {
			errs = append(errs, fmt.Errorf("the %s did not end in order: %w: %s", name, err, asked[i].last()))
		}
	}
	return errors.Join(errs...)
}

// kill is kill -9, and waits for the end.
func (r *run) kill(name string) {
	o := r.roles[name]
	o.doomed = true
	o.proc.Kill()
	<-o.proc.Ended()
	delete(r.roles, name)
}

func (r *run) killAll() {
	for name := range r.roles {
		r.kill(name)
	}
}

var (
	tookOver = regexp.MustCompile(`msg="partitions taken over" partitions="?\[([\d ]*)\]"?`)
	gaveUp   = regexp.MustCompile(`msg="partitions given up"`)
)

// owned are the partitions that a processor has now, by its log.
func (o *role) owned() (list []int32) {
	text := o.text()
	took := tookOver.FindAllStringSubmatchIndex(text, -1)
	if len(took) == 0 {
		return nil
	}
	last := took[len(took)-1]
	if gaveUp.MatchString(text[last[1]:]) {
		return nil
	}
	for _, field := range strings.Fields(text[last[2]:last[3]]) {
		var p int32
		if _, err := fmt.Sscan(field, &p); err == nil && p < partitions {
			list = append(list, p)
		}
	}
	return list
}

// one is a path as the only entry of a list: a comma in it separates nothing.
func one(path string) string { return strings.ReplaceAll(path, ",", `\,`) }
