package mutants

// Check is the test that catches a mutant.
type Check struct {
	Mutant  string
	Package string // below the project's module path
	Test    string // -test.run
	Message string // part of what the failed test says
}

// Table has one check for each mutant; there may be others that fail too.
var Table = []Check{
	{"kafka/uncommitted", "internal/kafka", "TestTransactionVisibility", "abort is invisible"},
	{"kafka/refused-committed", "internal/kafka", "TestOversizeIsRefusedAtOnce", "an incomplete transaction was committed"},
	{"lake/link-over", "internal/lake", "TestTakenRange", "the second commit of a start"},
	{"lake/unverified", "internal/lake", "TestVerify", "one bit"},
	{"lake/overlap", "internal/lake", "TestBrokenChain", "nobody noticed"},
	{"ledger/outcome-lost", "services/generator", "TestRunWeek", "cannot account for"},
	{"answer/unverified", "services/batch", "TestReaderRefuses", "a flipped bit"},
	{"generator/unsynced", "integration/failpoints", "TestGenerator", "and the ledger knows of 0"},
	{"ingest/record-lost", "services/batch/ingest", "TestLakeIsTheLog", "the lake is not the log"},
	{"ingest/log-first", "services/batch/ingest/sim", "TestRuns", "and the log already at"},
	{"ingest/restart-early", "services/batch/ingest", "TestLocate", "want 7"},
	{"batch/late-counted", "services/batch", "TestSmallLake", "closed rows of A (-oracle +batch)"},
	{"batch/resume-unverified", "services/batch/mapreduce", "TestRetriesAndResumption", "cannot shuffle"},
	{"batch/success-in-place", "integration/failpoints", "TestBatch", "the job exists: true, want false"},
	{"reporter/json-first", "services/reporter/render", "TestRuns", "and of the files before the oldest is of report"},
	{"reporter/order-unchecked", "services/reporter/collect", "TestBreaches", "the final row twice"},
	{"reporter/tolerant", "services/reporter/compare", "TestTampering", "no fault \"stream-a\" names"},
	{"reporter/lost-unnamed", "services/reporter/compare", "TestLostFromTheLog", "the loss is not named as the cause"},
}
