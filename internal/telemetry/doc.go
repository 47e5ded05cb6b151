// Package telemetry is how a program tells what it does: log lines, a line of
// progress, metrics and health.
//
// What it may be trusted for: colour and refreshed lines appear on a terminal
// only (and without colour when NO_COLOR is set); a log file or a pipe gets
// plain lines that a machine can read. Text from outside cannot move a
// terminal's cursor: what is not printable is quoted.
//
// Metrics are Prometheus' own types: make them with promauto.With(registry).
package telemetry
