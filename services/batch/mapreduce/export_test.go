package mapreduce

import "math/rand/v2"

// Shuffle makes the job start its tasks in a random order.
func (j *Job) Shuffle(r *rand.Rand) { j.shuffled = r }
