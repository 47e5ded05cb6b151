// Package architecture holds the rules of the import graph as a test: who may
// import whom, and which package is the only door to a library.
// docs/architecture.md says them in words; rules_test.go says them in code.
package architecture
