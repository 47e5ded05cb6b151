package processor

// RunHelp, ResetHelp and RebuildHelp are what the commands tell beyond their flags.
const (
	RunHelp = `Three profiles say what to be good at. latency: an answer is visible some milliseconds after its event, by many small transactions, which cost this process and the brokers. balanced: ten transactions a second, whose cost is some percent. throughput: two a second, for a backlog. Each sets the commit interval, the records of a transaction, the wait of a fetch and the linger; a flag of its own replaces one of them.

The state belongs to the views file. When a definition has changed, the processor refuses, and these change the state: "processor reset" lets a view begin anew, "processor rebuild" recomputes it from the first retained event; each has --help.

Examples:

    parallax processor --views views.yaml --instance slot-0    # start more to share the partitions
    parallax processor --profile latency --metrics 127.0.0.1:9100
    parallax processor rebuild --view hourly`

	ResetHelp = `The view counts from the next event of each partition on; what it said before stays under its former definition. A view that the file lacks is dropped. No processor of the group may run. Interrupted, type the same again: it goes on with the partitions that are left.

Example:

    parallax processor reset --view hourly --views views.yaml`

	RebuildHelp = `The view is computed from the first retained event on, beside the running processors, at full speed. When it has come to where they are, it is switched over, partition by partition, and the processors stop: start them again with the changed views file. Interrupted, type the same again: it goes on where it was. Until all partitions are switched, processors refuse to start.

Example:

    parallax processor rebuild --view hourly --views views.yaml`
)
