package failpoint

// Mutants lists all mutants: bugs that were made, or might well be, each of
// which a check must catch.
var Mutants = []Point{
	{"kafka/uncommitted", "readers see what is not committed"},

	{"lake/link-over", "a manifest is renamed over another one's name, without comparing first"},
	{"lake/unverified", "a lake file is trusted without its size and checksum"},
	{"lake/overlap", "manifests that overlap are passed over"},
	{"ledger/outcome-lost", "each fifth acknowledgement is not written down"},
	{"answer/unverified", "a file of a batch job is trusted without its size and checksum"},

	{"generator/unsynced", "messages are sent before their intents are in the ledger's file"},
	{"ingest/record-lost", "the first record after a full range is lost"},
	{"ingest/restart-early", "an ingest goes on at the last offset that it has, and not behind it"},
	{"batch/late-counted", "reading A counts late events"},
	{"batch/resume-unverified", "a job goes on with damaged files of a committed task"},
	{"batch/success-in-place", "_SUCCESS.json is written where it stands, and not linked when it is whole"},
	{"reporter/order-unchecked", "rows of the stream that are out of order are no fault"},
	{"reporter/tolerant", "rows with the same count are taken for the same"},
	{"reporter/lost-unnamed", "an acknowledged event that is not in the log is not called lost"},
}
