package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Options describe a program to Parse.
type Options struct {
	Name        string // as typed, for the help
	Description string // one sentence
	Examples    string // lines of "command  # what it does", shown by --help

	// Environment looks a variable up; nil is os.LookupEnv.
	Environment func(name string) (value string, found bool)
	// Stdout receives the help; nil is os.Stdout.
	Stdout io.Writer
}

// ErrAnswered says that something else than a run was asked for (the help, the
// version, the health of a program that runs), and has been answered.
var ErrAnswered = errors.New("the question was answered")

// Validator is implemented by configuration structs that can be wrong in ways
// that tags do not say. It reports every fault, each with its flag.
type Validator interface {
	Validate() []Fault
}

// builtin are the settings of every program. The questions among them are
// asked on the command line only.
type builtin struct {
	Help    bool   `short:"h" help:"Show this help."`
	Version bool   `help:"Show which sources this program was built from."`
	Health  string `placeholder:"HOST:PORT" help:"Ask the program that serves /healthz there whether it is well, and end: 0 if it is, 1 if not."`
	Config  string `placeholder:"FILE" help:"Read settings from this YAML file."`
}

// question reports whether a flag asks something instead of setting something.
func question(flag string) bool { return flag == "help" || flag == "version" || flag == "health" }

// Parse fills cli, a pointer to a struct with kong's tags, from args (without
// the program's name), the environment and the file.
// The error is ErrAnswered, that of a program which is not well, or Faults with
// everything that is wrong.
func Parse(args []string, cli any, o Options) (*kong.Context, error) {
	if o.Environment == nil {
		o.Environment = os.LookupEnv
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	p := &parser{places: map[*kong.Value]string{}, environment: o.Environment}
	var own builtin
	k, err := kong.New(cli,
		kong.Name(o.Name), kong.Description(o.Description),
		kong.NoDefaultHelp(), kong.Embed(&own),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ValueFormatter(helpText),
		kong.Writers(o.Stdout, o.Stdout),
		kong.Resolvers(kong.ResolverFunc(p.resolve)),
	)
	if err != nil {
		panic(fmt.Sprintf("BUG: the configuration of %s cannot be built: %v", o.Name, err))
	}
	p.kong, k.Model.Detail = k, examples(o.Examples)
	p.prepare(k.Model.Node)

	args = p.trace(args)
	switch address := p.flag("health").String(); {
	case p.flag("help").Bool():
		return nil, errors.Join(p.help(), ErrAnswered)
	case p.flag("version").Bool():
		fmt.Fprintln(o.Stdout, o.Name, Version())
		return nil, ErrAnswered
	case address != "":
		return nil, cmp.Or(healthy(address), ErrAnswered)
	}
	if path := p.configPath(); path != "" {
		p.readFile(path)
	}
	return p.apply(args)
}

// parser carries what is known about one call of Parse.
type parser struct {
	kong        *kong.Kong
	context     *kong.Context
	environment func(string) (string, bool)
	file        map[string]setting
	required    []*kong.Flag
	places      map[*kong.Value]string // of values that are not from the command line

	refused Faults // arguments that are no flag and no command
	faults  Faults // all
}

// trace reads the command line. Kong stops at the first argument which it does
// not know; this drops that one, notes it, and reads again, until the rest is
// known. It returns the rest.
func (p *parser) trace(args []string) []string {
	args = slices.Clone(args)
	swallow := -1 // where the value of a dropped flag would stand
	for {
		p.faults = slices.Clone(p.refused)
		p.context, _ = kong.Trace(p.kong, args)
		if p.context.Error == nil {
			return args
		}
		last := p.context.Path[len(p.context.Path)-1]
		at := len(args) - len(last.Remainder())
		if at >= len(args) { // the fault is in the last argument: a cluster like -xy
			at = len(args) - 1
		}
		arg, isFlag := args[at], strings.HasPrefix(args[at], "-")
		name, _, hasValue := strings.Cut(arg, "=")
		if isFlag || at != swallow {
			p.refused.add(name, refusal(p.context.Error, name))
		}
		if !isFlag && len(p.node().Children) > 0 {
			// An unknown command: what follows belongs to it.
			p.faults = slices.Clone(p.refused)
			return args[:at]
		}
		swallow = -1
		if isFlag && !hasValue {
			swallow = at
		}
		args = slices.Delete(args, at, at+1)
	}
}

// refusal is kong's message without the argument, which is the fault's place.
func refusal(err error, arg string) string {
	return strings.Replace(err.Error(), " "+arg, "", 1)
}

// apply fills the struct and collects the faults of the values.
func (p *parser) apply(args []string) (*kong.Context, error) {
	for _, flag := range p.required {
		flag.Required = false // kong would report these and nothing else
	}
	context, err := p.kong.Parse(args)
	if err != nil {
		if len(p.refused) == 0 {
			p.faults.add(p.kong.Model.Name, err.Error())
		}
		return nil, p.faults
	}
	p.context = context
	for _, flag := range context.Flags() {
		if slices.Contains(p.required, flag) && !flag.Set {
			p.faults.add("--"+flag.Name, "is required; set it or "+variable(flag.Name))
		}
	}
	for _, step := range context.Path {
		if node := step.Node(); node != nil {
			p.validate(node.Target, "")
		}
	}
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return context, nil
}

// validate asks the struct v and those embedded in it. A flag whose value could
// not even be read is not judged again.
func (p *parser) validate(v reflect.Value, prefix string) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	if validator, ok := v.Addr().Interface().(Validator); ok {
		for _, fault := range validator.Validate() {
			place := p.place("--" + prefix + strings.TrimPrefix(fault.Place, "--"))
			if !p.faults.at(place) {
				p.faults.add(place, fault.Message)
			}
		}
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if _, isCommand := field.Tag.Lookup("cmd"); !isCommand && field.IsExported() {
			p.validate(v.Field(i), prefix+field.Tag.Get("prefix"))
		}
	}
}

// place says where the value of a flag came from.
func (p *parser) place(flag string) string {
	for _, f := range p.context.Flags() {
		if "--"+f.Name == flag {
			return cmp.Or(p.places[f.Value], flag)
		}
	}
	return flag
}

// node is the command read so far, or the program.
func (p *parser) node() *kong.Node {
	if selected := p.context.Selected(); selected != nil {
		return selected
	}
	return p.kong.Model.Node
}

// flag is the value of one of the program's own flags on the command line.
func (p *parser) flag(name string) reflect.Value {
	for _, flag := range p.kong.Model.Flags {
		if flag.Name == name {
			return reflect.ValueOf(p.context.FlagValue(flag))
		}
	}
	panic("BUG: there is no flag --" + name)
}

func (p *parser) configPath() string {
	if path := p.flag("config").String(); path != "" {
		return path
	}
	path, _ := p.environment(variable("config"))
	return path
}
