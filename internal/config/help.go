package config

import (
	"strings"

	"github.com/alecthomas/kong"
)

func (p *parser) help() error { return p.context.PrintUsage(false) }

// helpText is a flag's help with its variable.
func helpText(value *kong.Value) string {
	if value.Flag == nil || question(value.Name) {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " ($" + variable(value.Name) + ")."
}

// examples indents lines, which keeps them as they are in the help.
func examples(lines string) string {
	lines = strings.TrimSpace(lines)
	if lines == "" {
		return ""
	}
	return "Examples:\n\n    " + strings.ReplaceAll(lines, "\n", "\n    ")
}
