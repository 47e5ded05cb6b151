package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// prepare puts a collector before the mapper of every value, and takes over the
// two checks at whose first fault kong would stop: enums and required flags.
func (p *parser) prepare(node *kong.Node) {
	for _, value := range node.Values() {
		c := collector{parser: p, mapper: value.Mapper}
		if value.Enum != "" {
			c.enum = value.EnumSlice()
			value.Enum, value.Tag.Enum = "", ""
		}
		value.Mapper = c
	}
	for _, flag := range node.Flags {
		if flag.Required {
			p.required = append(p.required, flag)
		}
		if flag.Name == "help" {
			p.kong.Model.HelpFlag = flag
		}
	}
	for _, child := range node.Children {
		p.prepare(child)
	}
}

// collector is a mapper that notes a fault where kong's would stop the parsing.
type collector struct {
	parser *parser
	mapper kong.Mapper
	enum   []string
}

func (c collector) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	place := ctx.Value.ShortSummary()
	if from, ok := c.parser.places[ctx.Value]; ok {
		place = from
	}
	if token := ctx.Scan.Peek(); ctx.Value.Flag != nil && !c.IsBoolFromValue(target) && !token.IsValue() {
		// The next flag stays where it is: it is read for itself.
		c.parser.faults.add(place, "needs a value")
		return nil
	}
	if err := c.mapper.Decode(ctx, target); err != nil {
		c.parser.faults.add(place, strings.TrimSuffix(err.Error(), " (string)"))
		return nil
	}
	for _, s := range scalars(target) {
		if c.enum != nil && !slices.Contains(c.enum, s) {
			c.parser.faults.add(place, fmt.Sprintf("must be one of %s, not %q", strings.Join(c.enum, ", "), s))
		}
	}
	return nil
}

// IsBoolFromValue keeps flags without a value such after the wrapping.
func (c collector) IsBoolFromValue(target reflect.Value) bool {
	switch m := c.mapper.(type) {
	case kong.BoolMapperExt:
		return m.IsBoolFromValue(target)
	case kong.BoolMapper:
		return m.IsBool()
	}
	return target.Kind() == reflect.Bool
}

// scalars are the words of a value or of a list.
func scalars(v reflect.Value) []string {
	if v.Kind() != reflect.Slice {
		return []string{fmt.Sprint(v.Interface())}
	}
	words := make([]string, v.Len())
	for i := range words {
		words[i] = fmt.Sprint(v.Index(i).Interface())
	}
	return words
}
