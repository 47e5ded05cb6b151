// Package task is the processor's transactional loop: it reads the input
// partitions which its consumer group gives it, lets the engine answer, and
// writes results, exclusions, dead letters, the changelog and the input offset
// of a partition in one Kafka transaction.
//
// It may be trusted for this: whatever process is killed at whatever
// instruction, each input record's effect is in the committed output exactly
// once, and the state after a restart is the fold of the input up to the
// committed offset. If that cannot be kept, the loop ends with a *Stop, which
// says why and what to do; it never goes on with a guess.
//
// How it is kept:
//
//   - One transactional producer per partition, under an id of the partition:
//     a new owner settles what its predecessor left open before it reads the
//     committed offset.
//   - Each commit proves membership in the group's current generation. A
//     revocation aborts what collects, and waits for what is in flight.
//   - The engine's state is changed in place and rolled back when the
//     transaction fails; of an unknown outcome the committed offset's metadata
//     tells which it was.
//   - One goroutine owns consumer, tasks, engines and every decision. A commit in
//     flight is the one thing beside it.
//
// A commit is in flight from offer to land. Its goroutine sends the offset and
// commits: it uses the task's producer, reads what the commit says, and hands
// back one outcome. Meanwhile the loop touches neither that producer nor that
// engine, and the partition takes no input; the other partitions go on, so their
// commits overlap.
//
// Why a rebalance cannot overtake a flight. The proof of membership is taken on
// the loop's goroutine, between two polls, so it is that of the generation under
// which the partition is owned. A rebalance reaches this member only inside a
// poll, as the callback that revokes; until the callback returns, the
// coordinator counts this member as one that has not answered, and gives its
// partitions to nobody. The callback waits for the flights, each bounded by its
// transaction's time. So there are two cases. Either the flight ends while the
// partition is still ours: committed, and the next owner begins behind it, or
// not, and the next owner reads the same input again. Or the coordinator lost its
// patience with a member that answers too late: then the generation is over, and
// it refuses the offset; and a flight whose offset it had taken before holds up
// the next owner, who settles the id and asks for stable offsets first.
//
// A state belongs to the views that it answers. When the views file is another
// one, the loop ends with a *Stop; Reset and Rebuild move the state, each
// partition in one transaction that is fenced as those of the loop are. A loop
// whose partition is moved under it learns of it at its next commit or rebalance,
// and ends with a *Stop too.
//
// All this is exactly once, the default. Two weaker guarantees, for comparison,
// are Producers of other kinds behind the same loop (atleast.go, atmost.go); what
// they leave behind at a death, and how it goes on, stands in resume.go. They may
// be trusted for what docs/processor.md says, and the state of one goes on under
// no other.
//
// It does not decide anything about events; the engine does.
package task
