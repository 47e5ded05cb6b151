package lake

// The columns of an event file, in their order. Rows are the valid events of
// one partition in offset order, duplicates and all.
const (
	ColumnPartition = "partition"  // int32
	ColumnOffset    = "offset"     // int64, Kafka's
	ColumnTimestamp = "timestamp"  // int64, Kafka's record timestamp: ms since 1970, as it is in the log
	ColumnProducer  = "producer"   // string; null without an identity
	ColumnSeq       = "seq"        // uint64; null without an identity
	ColumnKey       = "key"        // string
	ColumnSubject   = "subject"    // string, may be empty
	ColumnEventTime = "event_time" // timestamp, µs UTC
	ColumnValue     = "value"      // int64
)
