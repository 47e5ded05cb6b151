// Package compose holds tests of docker-compose.yml: the project's own images and
// Apache Kafka, started by the words of the README, scaled and killed while
// events flow. They need a Docker engine and the build tag integration; "make
// integration" runs them. Without an engine they fail and say so.
package compose
