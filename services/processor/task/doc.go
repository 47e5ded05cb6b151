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
//   - Each commit proves membership in the group's current generation. Any
//     revocation aborts.
//   - The engine's state is changed in place and rolled back when the
//     transaction fails; of an unknown outcome the committed offset's metadata
//     tells which it was.
//   - One goroutine owns consumer, producers and state.
//
// It does not decide anything about events; the engine does.
package task
