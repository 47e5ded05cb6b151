// Package processor is the stream side: it answers the views over the events
// topic continuously and exactly once. Config, New and Run are the whole of it;
// how it answers is in package engine, how nothing is lost or doubled in
// package task.
package processor
