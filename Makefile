# One page. A verify-x checks, the fix-x of the same name repairs what it finds.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

modules   := $(shell awk '$$1 ~ /^\.\// { print $$1 }' go.work)
alone     := GOWORK=off go
each       = for m in $(modules) ./tools; do echo "  $$m"; (cd $$m && $(1)); done
lint      := $(CURDIR)/bin/golangci-lint
rules     := parallax.example/integration/architecture

kafka := bin/kafka/java/broker

.PHONY: help build up down logs verdict integration demo test mutants torture torture-kafka torture-ci verify fix bench bench-peers bench-batch clean
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

build: ## every program into bin/; batch is static
	go build -o bin/ parallax.example/cmd/... parallax.example/services/...
	CGO_ENABLED=0 go build -o bin/ parallax.example/services/batch/cmd/batch

up: ## all of it in containers, on Apache Kafka; the page is http://127.0.0.1:8080
	VERSION=$$(git describe --tags --always --dirty) docker compose up --build --wait

down: ## stop the containers and remove all that they kept
	docker compose down -v

logs: ## what the containers say, until Ctrl-C
	docker compose logs --follow --tail 100

verdict: ## the batch answers now, and the verdict is printed; exit code 0: everything is explained
	@job=verdict-$$(date -u +%Y%m%dT%H%M%SZ)
	docker compose run --rm --no-deps -T batch run --job $$job
	docker compose run --rm --no-deps -T reporter --batch batch/$$job --out report/verdict

integration: ## the containers are started, scaled and killed; needs Docker; ARGS="-seed 7" repeats a run
	go test -tags integration -count=1 -timeout 30m -v parallax.example/integration/compose $(if $(ARGS),-args $(ARGS))

demo: ## a week of flights, both answers, the verdict
	go build -o bin/parallax parallax.example/cmd/parallax
	bin/parallax demo

test: ## all tests, with the race detector; those at the border to C with its own
	go test -race $$(go list work | grep -v /integration/)
	go test -race -count=1 parallax.example/integration/... # real programs: the cache does not know their sources
	GOEXPERIMENT=cgocheck2 go test -parallel 8 -run 'Paths|ProduceAll|Sender|Metadata|Transaction' parallax.example/internal/kafka # no Go pointer is left in C

mutants: ## each known bug is switched on, and its check must fail
	go test -count=1 -tags mutants -v -run 'Mutant' parallax.example/internal/failpoint parallax.example/integration/mutants parallax.example/services/processor/sim

torture: ## the fault matrix, about ten minutes; ARGS="--fault kill --seeds 50" chooses
	go build -o bin/parallax parallax.example/cmd/parallax
	bin/parallax torture $(or $(ARGS),--seeds 5)

torture-kafka: $(kafka) ## the same against Apache Kafka, which is broken too; needs a JDK and Maven
	go build -o bin/parallax parallax.example/cmd/parallax
	bin/parallax torture --kafka-home $(kafka) $(or $(ARGS),--seeds 2)

# Apache Kafka's jars, as bench/peers runs it.
$(kafka): bench/peers/java/pom.xml bench/peers/java/broker/pom.xml
	mvn --batch-mode --quiet --file bench/peers/java/pom.xml --projects broker -DbuildTo=$(CURDIR)/bin/kafka package
	touch $@

torture-ci: ## a small one: a seed that never changes, and a fresh one, which is printed
	go build -o bin/parallax parallax.example/cmd/parallax
	bin/parallax torture --seeds 1 --seed 1
	bin/parallax torture --seeds 1

bench: ## events per second and CPU per event, step by step
	go test -run '^$$' -bench . -benchmem parallax.example/bench/...

bench-peers: ## against Kafka Streams, Flink and plain loops; ARGS="all --small" is a short try
	go build -o bin/bench-peers parallax.example/bench/peers
	bin/bench-peers $(or $(ARGS),all)

bench-batch: ## the batch beside DuckDB, Polars and DataFusion; ARGS="--sets 3m-snappy --runs 1" is a short try
	go build -o bin/bench-batch parallax.example/bench/batch
	CGO_ENABLED=0 go build -o bin/ parallax.example/services/batch/cmd/batch
	bin/bench-batch $(or $(ARGS),run)

clean: ## remove what was built (runs/ stays: it holds results)
	rm -rf bin

checks := format vet lint tidy standalone work imports
verify: $(checks:%=verify-%) ## every check below
fix: fix-format fix-vet fix-lint fix-work fix-tidy ## every repair below
.PHONY: $(checks:%=verify-%) $(checks:%=fix-%)

verify-format: ## gofmt has nothing to say
	@out=$$(gofmt -l $(modules)); [ -z "$$out" ] || { echo "not formatted, run make fix-format:"; echo "$$out"; exit 1; }
fix-format: ## gofmt
	gofmt -w $(modules)

verify-vet: ## go vet over the workspace
	go vet work
	go vet -tags integration parallax.example/integration/...
fix-vet: ## what vet can repair by itself
	go vet -fix work

$(lint): tools/go.mod tools/go.sum
	cd tools && $(alone) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
verify-lint: $(lint) ## golangci-lint, as .golangci.yml says
	@bad=0; for m in $(modules); do echo "  $$m"; (cd $$m && $(lint) run ./...) || bad=1; done; exit $$bad
fix-lint: $(lint) ## what the linters can repair by themselves
	@for m in $(modules); do (cd $$m && $(lint) run --fix ./...); done

verify-tidy: ## every go.mod and go.sum is as tidy leaves it
	@$(call each,$(alone) mod tidy -diff)
fix-tidy: ## go mod tidy in every module
	@$(call each,$(alone) mod tidy)

verify-standalone: ## every module builds without the workspace
	@for m in $(modules); do echo "  $$m"; (cd $$m && $(alone) build ./... && $(alone) vet ./...); done
fix-standalone: fix-tidy ## a module that does not stand alone lacks a requirement

verify-work: ## one list of modules, one Go, one version of each dependency
	go test -count=1 -run 'Workspace' $(rules)
fix-work: ## the same by go work (then fix-tidy)
	for m in $(modules) ./tools; do go mod edit -go=$$(cat .go-version) $$m/go.mod; done
	go work edit -go=$$(cat .go-version)
	go work sync

verify-imports: ## who may import whom
	go test -count=1 -run 'Imports|Rules' $(rules)
fix-imports: ## (by hand: docs/architecture.md says where the import belongs)
	@echo "move the code or the import: see docs/architecture.md"
