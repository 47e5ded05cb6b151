package failpoint

// Mutants lists all mutants: bugs that were made, or might well be, each of
// which a check must catch.
var Mutants = []Point{
	{"kafka/uncommitted", "readers see what is not committed"},
	{"kafka/refused-committed", "a transaction is committed although the client has refused one of its records"},

	{"lake/link-over", "a manifest is renamed over another one's name, without comparing first"},
	{"lake/unverified", "a lake file is trusted without its size and checksum"},
	{"lake/overlap", "manifests that overlap are passed over"},
	{"ledger/outcome-lost", "each fifth acknowledgement is not written down"},
	{"answer/unverified", "a file of a batch job is trusted without its size and checksum"},

	{"generator/unsynced", "messages are sent before their intents are in the ledger's file"},
	{"ingest/record-lost", "the first record after a full range is lost"},
	{"ingest/log-first", "an ingest looks how far the log has come, and only then how far the chain has"},
	{"ingest/restart-early", "an ingest goes on at the last offset that it has, and not behind it"},

	{"processor/unfenced", "a commit proves no membership in the group"},
	{"processor/ids-late", "the state is restored before the transactional id is taken"},
	{"processor/stable-end", "the changelog is restored to its last stable offset, not to its end"},
	{"processor/watermark-lost", "a restored state has no watermark"},
	{"processor/read-once", "offsets and changelog that do not fit are not read again"},
	{"processor/last-offset", "the offset of the last record is committed, not the next one"},
	{"processor/merged-early", "a transaction's changes become part of the state before it is committed"},
	{"processor/state-kept", "a failed transaction's changes stay in the state"},
	{"processor/no-seek", "after a failed transaction its input is not read again"},
	{"processor/unknown-is-lost", "a commit of unknown outcome is taken for failed, without a look at the committed offset"},
	{"processor/unknown-is-committed", "the same is taken for committed"},
	{"processor/doubtful-commit", "the producer goes on after a commit whose requests may still be on their way"},
	{"processor/doubtful-abort", "the producer goes on after such an abort"},
	{"processor/produce-ignored", "nobody looks whether the producer has taken a record"},
	{"processor/revoked-open", "a transaction that is open at a revocation is not aborted"},
	{"processor/flight-left", "a revocation does not wait for the commit in flight"},

	{"batch/late-counted", "reading A counts late events"},
	{"batch/resume-unverified", "a job goes on with damaged files of a committed task"},
	{"batch/success-in-place", "_SUCCESS.json is written where it stands, and not linked when it is whole"},
	{"reporter/json-first", "report.json has its name before the other files of its report have theirs"},
	{"reporter/order-unchecked", "rows of the stream that are out of order are no fault"},
	{"reporter/tolerant", "rows with the same count are taken for the same"},
	{"reporter/lost-unnamed", "an acknowledged event that is not in the log is not called lost"},
}
