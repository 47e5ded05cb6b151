package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parallax.example/internal/config"
)

type connection struct {
	Brokers []string `default:"127.0.0.1:9092" placeholder:"HOST:PORT" help:"Brokers."`
	Retries int      `default:"3" help:"Retries."`
}

func (c *connection) Validate() []config.Fault {
	if c.Retries < 0 {
		return []config.Fault{config.Faultf("--retries", "must be at least 0, not %d", c.Retries)}
	}
	return nil
}

type service struct {
	Speed      float64       `default:"1" help:"Speed."`
	Partitions int           `default:"4" help:"Partitions."`
	Wait       time.Duration `default:"5s" help:"Wait."`
	Order      string        `default:"fast" enum:"fast,slow" help:"Order."`
	Verbose    bool          `short:"v" help:"Verbose."`
	Kafka      connection    `embed:"" prefix:"kafka-"`
}

func (s *service) Validate() []config.Fault {
	var faults []config.Fault
	if s.Speed <= 0 {
		faults = append(faults, config.Faultf("--speed", "must be more than 0, not %v", s.Speed))
	}
	if s.Partitions < 1 || s.Partitions > 64 {
		faults = append(faults, config.Faultf("--partitions", "must be from 1 to 64, not %d", s.Partitions))
	}
	return faults
}

func options(environment map[string]string) config.Options {
	return config.Options{
		Name: "service", Description: "A service.", Examples: "service --speed=2  # twice as fast",
		Environment: func(name string) (string, bool) { v, ok := environment[name]; return v, ok },
		Stdout:      new(bytes.Buffer),
	}
}

// faults runs Parse and returns what it reports, line by line.
func faults(t *testing.T, cli any, environment map[string]string, args ...string) []string {
	t.Helper()
	_, err := config.Parse(args, cli, options(environment))
	if err == nil {
		return nil
	}
	var f config.Faults
	if !errors.As(err, &f) {
		t.Fatalf("Parse: %v, want faults", err)
	}
	return strings.Split(f.Error(), "\n")
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOrderOfSources(t *testing.T) {
	path := file(t, "speed: 2\npartitions: 5\nwait: 1s\nverbose: true\nkafka-brokers: [a:1, 'b,c:2']\n")
	var s service
	got := faults(t, &s, map[string]string{
		"PARALLAX_CONFIG": path, "PARALLAX_PARTITIONS": "6", "PARALLAX_WAIT": "2s", "PARALLAX_ORDER": "",
	}, "--wait=3s")
	if got != nil {
		t.Fatal(got)
	}
	equal(t, s, service{
		Speed: 2, Partitions: 6, Wait: 3 * time.Second, Order: "fast", Verbose: true,
		Kafka: connection{Brokers: []string{"a:1", "b,c:2"}, Retries: 3},
	})
}

func TestEveryFaultOfTheCommandLine(t *testing.T) {
	f := func(want []string, args ...string) {
		t.Helper()
		equal(t, faults(t, &service{}, nil, args...), want)
	}
	f([]string{
		"--nonsense: unknown flag",
		`--speed: expected a float but got "abc"`,
		`--partitions: expected a valid 64 bit int but got "x"`,
	}, "--speed=abc", "--partitions=x", "--nonsense")
	// The value of an unknown flag is no fault of its own; a stray word is.
	f([]string{"--nonsense: unknown flag", "word: unexpected argument", `-z: unknown flag, did you mean one of "-v", "-h"?`}, "--nonsense", "3", "--speed=2", "word", "-z")
	f([]string{"--sped: unknown flag, did you mean \"--speed\"?"}, "--sped=1")
	// A flag without its value leaves the next flag alone.
	f([]string{"--speed: needs a value", "--wait: needs a value"}, "--speed", "--partitions=7", "--wait")
	f([]string{`--order: must be one of fast, slow, not "medium"`, "--partitions: must be from 1 to 64, not 65"}, "--order=medium", "--partitions=65")
	// What could not be read is not judged again: --speed would be 0.
	f([]string{`--speed: expected a float but got "abc"`, "--kafka-retries: must be at least 0, not -1"}, "--speed=abc", "--kafka-retries=-1")
	f([]string{`-vz: unknown flag -z, did you mean one of "-v", "-h"?`}, "-vz")
}

func TestFaultsNameTheirPlace(t *testing.T) {
	path := file(t, strings.Join([]string{
		"speed: abc",             // 1
		"partitions: 99",         // 2
		"wait: [1s, 2s]",         // 3
		"nonsense: 1",            // 4
		"order:",                 // 5
		"kafka-brokers: {a: b}",  // 6
		"speed: 3",               // 7
		"config: other.yaml",     // 8
		"verbose: perhaps",       // 9
		"kafka-retries: -4 # no", // 10
	}, "\n"))
	got := faults(t, &service{}, map[string]string{"PARALLAX_KAFKA_RETRIES": "many"}, "--config", path)
	var places []string
	for _, line := range got {
		place, _, _ := strings.Cut(line, ": ")
		places = append(places, strings.TrimPrefix(place, path))
	}
	equal(t, places, []string{":4", ":7", ":8", ":1", ":3", ":5", ":9", ":6", "PARALLAX_KAFKA_RETRIES", ":2"})
}

func TestFaultsOfTheFileItself(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		equal(t, faults(t, &service{}, nil, "--config="+path), []string{want})
	}
	f("/does/not/exist.yaml", `--config: cannot read "/does/not/exist.yaml": no such file or directory`)
	bad := file(t, "speed: 1\n  x: [\n")
	f(bad, bad+":2: is not YAML: mapping values are not allowed in this context")
	list := file(t, "\n- a\n")
	f(list, list+`:2: must hold lines of the form "name: value"`)
	equal(t, faults(t, &service{}, nil, "--config="+file(t, "# nothing\n")), []string(nil))
}

type program struct {
	Send send `cmd:"" help:"Send."`
	Read read `cmd:"" help:"Read."`
}
type send struct {
	Topic string `required:"" help:"Topic."`
	Count int    `default:"1"`
}
type read struct {
	From int `help:"From."`
}

func (r *read) Validate() []config.Fault {
	return []config.Fault{config.Faultf("--from", "is never right")}
}

func TestCommands(t *testing.T) {
	var p program
	ctx, err := config.Parse([]string{"send", "--topic=a"}, &p, options(nil))
	if err != nil || ctx.Command() != "send" || p.Send != (send{Topic: "a", Count: 1}) {
		t.Fatalf("got %+v, %v", p, err)
	}
	f := func(want []string, args ...string) {
		t.Helper()
		equal(t, faults(t, &program{}, nil, args...), want)
	}
	f([]string{`--count: expected a valid 64 bit int but got "x"`, "--topic: is required; set it or PARALLAX_TOPIC"}, "send", "--count=x")
	f([]string{`sned: unexpected argument, did you mean "send"?`}, "sned", "--topic=a")
	f([]string{`service: expected one of "send", "read"`})
	f([]string{"--topic: unknown flag", "--from: is never right"}, "read", "--topic=a")
	f([]string{"--from: is never right"}, "read")
}

func TestCommandFromTheEnvironment(t *testing.T) {
	var p program
	if got := faults(t, &p, map[string]string{"PARALLAX_TOPIC": "b"}, "send"); got != nil || p.Send.Topic != "b" {
		t.Fatalf("got %v, %+v", got, p)
	}
}

func TestHelp(t *testing.T) {
	f := func(cli any, args []string, wants ...string) {
		t.Helper()
		o := options(nil)
		var out bytes.Buffer
		o.Stdout = &out
		_, err := config.Parse(args, cli, o)
		if !errors.Is(err, config.ErrAnswered) || config.Report(new(bytes.Buffer), "service", err) != config.ExitOK {
			t.Fatalf("Parse: %v, want help", err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the help lacks %q:\n%s", want, out.String())
			}
		}
	}
	f(&service{}, []string{"--help"}, "A service.", "    service --speed=2  # twice as fast", "Speed ($PARALLAX_SPEED).", "--kafka-brokers=HOST:PORT", "--config=FILE")
	// Help is help, whatever else is on the line.
	f(&service{}, []string{"--speed=abc", "--nonsense", "-h"}, "--partitions=4")
	f(&program{}, []string{"send", "--help"}, "Usage: service send --topic=STRING", "--count=1")
	f(&program{}, []string{"--help"}, "send    Send.", "<command>")
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	_, err := config.Parse([]string{"--speed=abc", "x"}, &service{}, options(nil))
	if code := config.Report(&out, "service", err); code != config.ExitCannot {
		t.Errorf("exit code %d, want %d", code, config.ExitCannot)
	}
	equal(t, out.String(), `service: 2 faults in the configuration
  x: unexpected argument
  --speed: expected a float but got "abc"
Type "service --help" for what can be set.
`)
}

// Parse ends with an answer for any command line.
func FuzzParse(f *testing.F) {
	f.Add("--speed=abc --partitions=x --nonsense")
	f.Add("send --topic -h -- --count")
	f.Add("- -- --= -v=x --verbose=x --no-verbose")
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "--health") {
			t.Skip("it asks a program, and its answer is another")
		}
		for _, cli := range []any{&service{}, &program{}} {
			_, err := config.Parse(strings.Fields(line), cli, options(nil))
			var faults config.Faults
			if err != nil && !errors.Is(err, config.ErrAnswered) && (!errors.As(err, &faults) || len(faults) == 0) {
				t.Errorf("Parse(%q): %v, want help or faults", line, err)
			}
		}
	})
}
