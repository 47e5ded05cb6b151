// Package config turns one struct per program into its configuration: flags,
// environment, an optional YAML file, defaults, help.
//
// A setting has one name. The field
//
//	Partitions int `default:"4" help:"Partitions of the topic."`
//
// is --partitions on the command line, PARALLAX_PARTITIONS in the environment
// and "partitions: 4" in the file named by --config. The nearest to the person
// wins, in this order. An empty environment variable counts as unset, because
// that is how compose files say it.
//
// What it may be trusted for: Parse reports every fault of every source at
// once, each with its place (the flag, the variable, or file:line), so nobody
// repairs a configuration one run at a time. A struct adds what tags cannot say
// by a method Validate() []Fault.
//
// It does not watch the file and does not read the process environment except
// through Options.Environment. Main alone arms the failpoints that the process
// environment names.
package config
