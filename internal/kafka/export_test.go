package kafka

// NewSlowSender makes a sender by the Go client.
var NewSlowSender = newSlowSender
