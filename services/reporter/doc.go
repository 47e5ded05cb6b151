package reporter
