package render

// AllAt is All with a probe of its steps.
var AllAt = all
