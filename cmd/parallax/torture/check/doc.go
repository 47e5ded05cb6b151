// Package check says whether a run kept every promise: nothing lost, nothing
// doubled, every answer the right one, to the byte.
//
// It looks at what lies in Kafka, in the ledger, in the lake and in the batch's
// folder after the run, and at nothing that a program under test says of
// itself. What is right it asks internal/oracle, over the log as it was really
// recorded. Its own reading of manifests, offset metadata and transactions is
// written here a second time on purpose.
//
// It may be trusted for this: assumptions come first, so a run in which the
// fault did not happen, or nothing happened at all, never passes; and each check
// has its own name and message, and a test that tampers with a good run sees
// exactly that one speak. It shares with the code under test the contract
// (event, view, result, sketch) and, to read a changelog, the engine: a state is
// judged by what it answers, not by what it holds.
package check
