// Package collect reads what the processor committed (parallax.results,
// excluded, dead-letters) from Kafka into memory: live, for the page and for
// latencies, and up to a captured end, for the comparison.
//
// It may be trusted for this: it sees committed records only, and each record
// of a topic once, in the order of its partition. It judges nothing but form:
// within a cell, transaction and input offset must rise, nothing may follow a
// final row, and only what was told is retracted; a breach is a fault of the
// stream, which the comparison reports. Up to where a marker says that a view was
// rebuilt, and anywhere while it is, its rows may begin again, in later
// transactions; a doubled answer there is taken for a second rebuild. The marker
// may be read after the rows: what it would explain is judged when somebody asks,
// as is a view that these views.yaml lacks. A message it cannot decode ends the
// collecting with an error: nothing unread is skipped.
//
// Memory is one small struct per cell, per exclusion, and per row that begins
// again before a marker explains it; texts are shared.
package collect
