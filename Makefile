# The two commands of the house are `make run` and `make test`; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO       ?= go
NPM_CI   := npm ci --no-audit --no-fund --ignore-scripts
FUZZTIME ?= 2000x
# SQLite is C made into Go, with a lock of its own around it: looked into by the race detector its tests take three times as long.
RACE     := $(if $(CASELOAD_TEST_RACE),-race -gcflags='modernc.org/sqlite/lib=-race=false')
# Many tests wait (for a lease, a time-out, a process), few of them compute: more of them at once than there are processors.
TEST     := $(GO) test $(RACE) -vet=all -timeout 40m -p 3 -parallel 6
# One goroutine each over what is made to cost, up to seventeen times as long under the race detector, which has nothing to see there.
BOUNDS   := ^(TestHostileObjectsGetTheirVerdictWithinBounds|TestABombWithinTheLimitsIsReadOnlyAsFarAsAsked|TestAWalkThroughWhatIsMadeToCostEndsInBounds|TestAnArchiveInsideIsGivenUpWhenItCostsTooMuch|TestEveryHostileZIPGetsItsVerdict|TestManyPatientsAreBounded|TestMemoryStaysFlatAtOneGigabyte)$$
# The browser waits for the program and the Go tests wait for each other: three parts at once (docs/decisions/103).
AT_ONCE  := $(if $(CASELOAD_TEST_RACE),-j1,-j3)
LINT     := bin/golangci-lint
LINT_AT  := v2.15.0
MINIO_AT := v0.0.0-20260212201848-7aac2a2c5b7c

UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

export CASELOAD_TEST_BINARY := $(CURDIR)/bin/caseload
export CASELOAD_TEST_MINIO ?= $(wildcard $(CURDIR)/bin/minio)

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: run
run: ui/dist/app.js ## build what is stale and serve on http://127.0.0.1:8080
	exec $(GO) run ./cmd/caseload serve

.PHONY: build
build: ui/dist/app.js ## build bin/caseload
	$(GO) build $(RACE) -o bin/caseload ./cmd/caseload

.PHONY: test
test: ## install what is missing, then run every test (some 15 minutes on 2 cores)
	.ci/prepare
	$(MAKE) --no-print-directory $(AT_ONCE) build test-ui test-go test-browser fuzz

.PHONY: test-go
test-go: build ## only the Go tests: both databases, the real binary, a short kill run
	$(TEST) $(if $(CASELOAD_TEST_RACE),-skip '$(BOUNDS)') ./...
	$(if $(CASELOAD_TEST_RACE),$(GO) test ./internal/pixels/child)
	$(if $(CASELOAD_TEST_RACE),$(GO) test -run '$(BOUNDS)' ./internal/dicom ./internal/archive ./internal/ingest)

.PHONY: test-ui
test-ui: ui/dist/app.js ## only the front end's types and unit tests
	cd ui && npm run typecheck && npm test

.PHONY: test-browser
test-browser: build e2e/node_modules/.installed ## only the browser journeys
	$(GO) build -o bin/s3test ./internal/objectstore/s3test/cmd
	$(GO) build -o bin/phantom ./e2e/phantom/cmd
	$(GO) build -o bin/later ./e2e/later/cmd
	node --test --test-concurrency=$(if $(CASELOAD_TEST_RACE),1,2) --test-reporter=spec e2e/*.test.mjs ui/test/browser/*.test.mjs

.PHONY: screenshot
screenshot: build e2e/node_modules/.installed ## draw docs/screenshot.png from the real program
	$(GO) build -o bin/phantom ./e2e/phantom/cmd
	cd e2e && node --test screenshot.mjs

.PHONY: fuzz
fuzz: ui/dist/app.js ## every fuzz target for FUZZTIME (2000x: executions; a time ends now and then with "context deadline exceeded", Go's own)
	@grep -rlE '^func Fuzz' --include='*_test.go' internal ui cmd e2e 2>/dev/null | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$$file"); do \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "./$$(dirname "$$file")" </dev/null; \
	  done; \
	done

.PHONY: fuzz-long
fuzz-long: ## every fuzz target ten million times, one worker each at the lowest priority (hours)
	nice -n 19 $(MAKE) --no-print-directory fuzz FUZZTIME=10000000x GOFLAGS=-parallel=1

.PHONY: bench
bench: build ## the figures of docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchtime 2s ./internal/...
	$(GO) test -tags bench -run '^TestFigure' -v -timeout 60m ./e2e

.PHONY: bench-upload
bench-upload: build bench/node_modules/.installed ## uploading over emulated lines, beside its peers (root; BENCH_MODE=quick: 6 minutes)
	$(GO) build -o bin/line ./bench/line/cmd
	$(GO) build -o bin/peer ./bench/peer
	$(GO) build -o bin/slices ./bench/slices
	$(GO) build -o bin/s3test ./internal/objectstore/s3test/cmd
	cd bench && node upload.mjs

.PHONY: bench-read
bench-read: build ## reading headers, ZIPs and whole files, beside pydicom, dcmtk and Orthanc where installed (8 minutes)
	$(GO) test -tags bench -run '^TestReading' -v -timeout 30m ./e2e

.PHONY: lint
lint: ui/dist/app.js $(LINT) ## the linters, the rule of imports among them
	$(LINT) config verify
	$(LINT) run ./...

.PHONY: fmt
fmt: $(LINT) ## format Go and the front end
	$(LINT) fmt ./...
	cd ui && npx --no-install prettier --write --log-level warn .

.PHONY: docs
docs: ui/dist/app.js ## write docs/config.md and docs/cli.md from the program
	$(GO) generate ./cmd/caseload

ui/node_modules/.installed: ui/package-lock.json
	cd ui && $(NPM_CI)
	touch $@

ui/dist/app.js: ui/node_modules/.installed $(UI_SOURCES)
	cd ui && npm run build
	touch $@

bench/node_modules/.installed: bench/package-lock.json
	cd bench && $(NPM_CI)
	touch $@

e2e/node_modules/.installed: e2e/package-lock.json
	cd e2e && $(NPM_CI)
	touch $@

# Built from source once; takes some minutes.
$(LINT):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_AT)

# A store with users and policies of its own, for the tests alone: its last public module, never one of ours. Built from
# source once, 5 to 10 minutes; the tests use it from then on and skip loudly without it.
bin/minio:
	GOBIN=$(CURDIR)/bin $(GO) install github.com/minio/minio@$(MINIO_AT)
