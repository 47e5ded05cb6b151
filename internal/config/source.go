package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// variable is the environment's name of a flag.
func variable(flag string) string {
	return "PARALLAX_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(flag))
}

// setting is one entry of the file.
type setting struct {
	node  *yaml.Node
	place string // file:line
}

// resolve gives kong the value of a flag that is not on the command line, and
// notes where it came from.
func (p *parser) resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if question(flag.Name) {
		return nil, nil
	}
	if value, found := p.environment(variable(flag.Name)); found && value != "" {
		p.places[flag.Value] = variable(flag.Name)
		return value, nil
	}
	s, found := p.file[flag.Name]
	if !found {
		return nil, nil
	}
	p.places[flag.Value] = s.place
	switch s.node.Kind {
	case yaml.ScalarNode:
		if s.node.Tag != "!!null" {
			return s.node.Value, nil
		}
		p.faults.add(s.place, flag.Name+" has no value; remove the line or give one")
	case yaml.SequenceNode:
		if !flag.IsSlice() {
			p.faults.add(s.place, flag.Name+" takes one value, not a list")
			break
		}
		words := make([]string, len(s.node.Content))
		for i, n := range s.node.Content {
			if n.Kind != yaml.ScalarNode {
				p.faults.add(s.place, fmt.Sprintf("entry %d of %s is not a single value", i+1, flag.Name))
			}
			words[i] = n.Value
		}
		return kong.JoinEscaped(words, flag.Tag.Sep), nil
	default:
		p.faults.add(s.place, flag.Name+" takes a value or a list, nothing nested")
	}
	flag.Set = true // it was given, however badly
	return nil, nil
}

// yamlLine is how the YAML reader begins its messages.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// readFile reads the settings and notes what no flag of the command has.
func (p *parser) readFile(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		var at *os.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		p.faults.add("--config", fmt.Sprintf("cannot read %q: %v", path, err))
		return
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		place, match := path, yamlLine.FindStringSubmatch(err.Error())
		if match[1] != "" {
			place += ":" + match[1]
		}
		p.faults.add(place, "is not YAML: "+strings.TrimPrefix(err.Error(), match[0]))
		return
	}
	if len(document.Content) == 0 {
		return // an empty file sets nothing
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		p.faults.add(fmt.Sprintf("%s:%d", path, top.Line), `must hold lines of the form "name: value"`)
		return
	}
	known := map[string]bool{}
	for _, flag := range p.context.Flags() {
		known[flag.Name] = !question(flag.Name) && flag.Name != "config"
	}
	p.file = map[string]setting{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		name, place := top.Content[i].Value, fmt.Sprintf("%s:%d", path, top.Content[i].Line)
		first, twice := p.file[name]
		switch {
		case twice:
			p.faults.add(place, fmt.Sprintf("%s is set already at %s", name, first.place))
		case !known[name]:
			p.faults.add(place, fmt.Sprintf("unknown setting %q; --help lists them, without the dashes", name))
		default:
			p.file[name] = setting{node: top.Content[i+1], place: place}
		}
	}
}
