// Package integration holds the tests that need several rooms, real processes
// or foreign clients. A failed test keeps its run folder.
package integration
