# Every task of the project; `make help` lists them.

SWIFT ?= swift
PREFIX ?= /usr/local
SWBUILD := .build/release/swbuild
DEMO := .build/demo
SOURCES := Sources Tests Package.swift fuzz/Package.swift fuzz/Sources/Fuzz fuzz/Sources/Crypto

export SWBUILD

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo build test test-unit test-integration conformance conformance-update fuzz bench bench-registry fmt lint clean install

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## set up, build swbuild, and build examples/demo twice
	@scripts/setup --demo
	@$(MAKE) --no-print-directory build
	@examples/demo/run $(SWBUILD) $(DEMO)

build: ## build the program, optimised, into .build/release/swbuild
	$(SWIFT) build -c release --static-swift-stdlib --product swbuild

test: ## set up and run every test
	@scripts/setup --test
	@scripts/test unit conformance integration fuzz

test-unit: ## run the Swift tests alone (FILTER=regular expression)
	@scripts/test unit

test-integration: ## run the tests that drive the built program (FILTER=glob)
	@scripts/test integration

conformance: ## compare the images of the conformance cases (FILTER=glob)
	@scripts/test conformance

fuzz: ## fuzz the readers of foreign data (FUZZ=names, TIME=seconds for each, 600)
	@scripts/setup --test
	@fuzz/run $(or $(TIME),600) $(FUZZ)

conformance-update: build ## add the cases that pass by now to Tests/Conformance/ratchet.txt
	@python3 Tests/Conformance/ratchet.py --swbuild $(SWBUILD) --update

bench: ## compare speed with the other builders on PATH (BENCH="--quick …")
	@scripts/setup --bench
	@$(MAKE) --no-print-directory build
	@python3 bench/run.py --swbuild $(SWBUILD) $(BENCH)

bench-registry: ## compare pulls and pushes with other tools on a registry on loopback (BENCH="--runs …")
	@scripts/setup --bench
	@$(MAKE) --no-print-directory build
	@python3 bench/transfer.py --swbuild $(SWBUILD) $(BENCH)

fmt: ## format the sources
	$(SWIFT) format -i -r -p $(SOURCES)

lint: ## check format and style
	$(SWIFT) format lint --strict -r -p $(SOURCES)

install: build ## install the program below PREFIX (default /usr/local)
	install -D -m 755 $(SWBUILD) $(DESTDIR)$(PREFIX)/bin/swbuild
	@if [ -e docs/swbuild.1 ]; then \
	    install -D -m 644 docs/swbuild.1 $(DESTDIR)$(PREFIX)/share/man/man1/swbuild.1; fi

clean: ## remove what was built
	rm -rf .build
