# make prints its targets. What is longer than three lines is a script or a Go program.
export CGO_ENABLED ?= 0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 10s
GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

help: ## print this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 10

build: ## bin/fettle, and check_fettle beside it
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/fettle ./cmd/fettle
	ln -sf fettle bin/check_fettle

run: build ## server, broker, store and an agent of this machine; state in ./var; Ctrl-C ends it
	@exec bin/fettle dev $(ARGS)

test: ## everything: installs and starts real services (Debian 12), unit tests with -race, integration tests
	@test/all.sh

unit: ## the tests that need no service and no network
	go test ./...

race: ## the same, with the race detector
	CGO_ENABLED=1 go test -race ./...

lint: ## gofmt, go vet and .golangci.yml
	@test/tidy.sh
	go run $(GOLANGCI) run

fmt: ## write all Go files as gofumpt and goimports have them
	go run $(GOLANGCI) fmt

fuzz: ## every fuzz test for FUZZTIME (10s) each
	@test/fuzz.sh $(FUZZTIME)

bench: ## every benchmark; the figures that count stand in docs/benchmarks.md
	go test -run '^$$' -bench . -benchmem ./...

brokers: ## the embedded broker, RabbitMQ and ActiveMQ by the same clients; what a server commits from signing nodes
	@test/brokers.sh

idle: build ## what an agent costs that nobody asks, over SECONDS (600); fails above 20 MiB of its own, or 0.1 % of a core
	@test/idle.sh $(or $(SECONDS),600)

soak: build ## 500 NODES are asked and 100,000 documents, each for SOAK (10m); 2,000 keep ten checks each for 20m; faults. Fails when slow, silent, growing or lossy
	go run ./test/soak -nodes $(or $(NODES),500) -for $(or $(SOAK),10m) && go run ./test/crowd -for $(or $(SOAK),10m)
	go run ./test/soak -checks 14 -nodes 2000 -interval 30s -for 20m -away 5m
	go run ./test/faults -clock cmd/fettle -for $(or $(SOAK),10m) && go run ./test/faults -for $(or $(SOAK),10m) -database mariadb -away 10m

release: ## stripped programs for Linux, macOS and Windows in dist/, with their SHA-256
	@packaging/release.sh $(VERSION)

clean: ## remove what make has made; var/ and the services' data stay
	rm -rf bin dist coverage.out

.PHONY: help build run test unit race lint fmt fuzz bench brokers idle soak release clean
