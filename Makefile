# Everything here runs on real servers that it obtains by itself. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MATRIX := bin/matrix
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help build test-all test check lint unit pr cases blocks bench compatibility failover-times issue docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18
	@echo
	@echo "  make test VERSION=mariadb-10.11 SUITE=failover FOCUS='semi-sync'"
	@echo "  make test-all ARGS='--tool gh-ost=/path/to/gh-ost'"

build: ## build bin/matrix
	go build -o $(MATRIX) ./harness/cmd/matrix

test-all: build ## every suite on every available server, and a report per version
	$(MATRIX) run $(ARGS)

test: build ## one version: VERSION=mysql-9.7 [SUITE=migration] [FOCUS=regexp] [ARGS=…]
	@[ -n "$(VERSION)" ] || { echo "make test wants VERSION, for example: make test VERSION=mariadb-10.11 (see bin/matrix list)"; exit 2; }
	$(MATRIX) run --entry '$(VERSION)' $(if $(SUITE),--suite '$(SUITE)') $(if $(FOCUS),--focus '$(FOCUS)') $(ARGS)

check: lint unit pr ## this project's own tests: format, vet, lint, unit and command-line tests, the pr tier on real servers

lint: ## format, vet, staticcheck, actionlint
	scripts/lint

unit: build ## unit and command-line tests, with the race detector
	scripts/unit

SEED ?= 1

pr: build ## the pr tier on real servers, with one seed: a change is judged by what it changed (the nightly runs draw theirs)
	$(MATRIX) run --tier pr --out build/pr --force --seed $(SEED) $(ARGS)

ENTRIES ?= mysql-9.7,mariadb-11.8
ALTERS ?= 300
TOOLS ?=

cases: build ## every case of matrix migrate with both tools, every planted fault, and ALTERS random changes on each of ENTRIES, also by TOOLS
	go test ./harness/cmd/matrix -run 'TestMigrateCases' -cases full -entries '$(ENTRIES)' -timeout 6h
	go test ./harness/usertables -run 'TestFaultsAreFound|TestRandomChanges' -entries '$(ENTRIES)' -alters $(ALTERS) -alter-tools '$(TOOLS)' -timeout 6h -v

PAGES ?= .

blocks: build ## the commands of docs/ as they stand, on real servers, in a copy of the project: PAGES=quickstart for some
	go test ./harness/cmd/matrix -run TestCommandsOfTheDocsRun -blocks '$(PAGES)' -timeout 2h -v

bench: build ## measure against what this replaces, as ratios in one run; writes build/bench.json (ARGS="--measure provisioning")
	go run ./harness/cmd/bench --out build/bench.json $(ARGS)

compatibility: build ## docs/compatibility.md from a run of everything: RUN=build/runs/…
	@[ -n "$(RUN)" ] || { echo "make compatibility wants RUN, for example: make compatibility RUN=build/runs/20261123-180000.000"; exit 2; }
	$(MATRIX) report --format compatibility '$(RUN)' >docs/compatibility.md

failover-times: build ## docs/failover-times.md from a run of the specs that time failovers: RUN=build/runs/…
	@[ -n "$(RUN)" ] || { echo "make failover-times wants RUN, a run of: bin/matrix run --suite failover --focus 'repeated failovers of'"; exit 2; }
	$(MATRIX) report --format times '$(RUN)' >docs/failover-times.md

issue: build ## show a bug of the track record on a real server: NAME=gh-ost-set-reordered (without NAME: the list)
	$(MATRIX) issue $(NAME) $(ARGS)

docs: ## write the pages of docs/ that are made of matrix.yaml and fixtures/track-record.yaml
	go run ./harness/cmd/docs

clean: ## stop servers that are left, and remove what was built; the cache stays (bin/matrix clean --all)
	@[ ! -x $(MATRIX) ] || $(MATRIX) clean
	rm -rf bin build
