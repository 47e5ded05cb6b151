package failpoint

import "slices"

// Point is a named place in a program.
type Point struct {
	Name string `json:"name"` // program/step
	What string `json:"what"` // what is done and what is not when it is hit
}

// Points lists all failpoints, in the order of the steps. Those of the processor
// are the steps of its loop, each hit once by each partition's transaction if
// nothing else is said.
var Points = []Point{
	{"generator/before-sync", "a group of intents is made, and neither it nor the outcomes of the group before are in the ledger's file"},
	{"generator/synced", "the intents are in the ledger, and nothing of the group is sent"},
	{"generator/sent", "the group is handed to the client, and no outcome is known"},
	{"generator/settled", "every message has its outcome, and the last outcomes are not in the ledger's file"},

	{"processor/taking", "the partition's transactional id is about to be taken from whoever had it"},
	{"processor/taken", "the id is taken, and the state is not restored"},
	{"processor/restoring", "a batch of the changelog is loaded, and others may follow"},
	{"processor/before-begin", "a partition has input, and no transaction is open"},
	{"processor/begun", "the transaction is open, and nothing is in it"},
	{"processor/first-produced", "the transaction's first records are handed to the client"},
	{"processor/produced", "all its records are, and the input offset is not sent"},
	{"processor/offsets-sent", "the input offset is in the transaction, and it is not committed; with kill-after: during the commit"},
	{"processor/committed", "the transaction is committed, and the state in memory does not know yet"},
	{"processor/revoking", "a partition is about to be given up, with its transaction open or in flight"},

	{"processor/moving", "a reset or rebuild has taken a partition's id, and has not read its state"},

	{"ingest/mid-file", "a part of a data file is written"},
	{"ingest/before-sync", "a data file is written whole, and not synced"},
	{"ingest/renamed", "a data file has its name, and no manifest names it"},
	{"ingest/before-link", "the manifest is written and synced under a temporary name"},
	{"ingest/linked", "the manifest has its name, and the folder is not synced"},

	{"batch/mid-task", "a part of a task's output is written"},
	{"batch/before-task-commit", "a task's output is whole, and the task is not committed"},
	{"batch/task-committed", "a task is committed, and its coordinator does not know yet"},
	{"batch/before-publish", "all tasks are committed, and no file has its final name"},
	{"batch/published", "a file has its final name, and the job does not exist"},
	{"batch/before-success", "all files have their names and are durable, and _SUCCESS.json is not there"},
	{"batch/success", "_SUCCESS.json is there, and the folder is not synced and the temporary files are not removed"},

	{"reporter/before-rename", "all files of the report are written under temporary names"},
	{"reporter/renamed", "a file of the report has its name, and others may not"},
}

func known(list []Point, name string) bool {
	return slices.ContainsFunc(list, func(p Point) bool { return p.Name == name })
}
