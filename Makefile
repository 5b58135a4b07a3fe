# Everything that is done with this repository, by one command each. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# Where cargo puts what it makes; it may be set for the whole machine.
TARGET := $(or $(CARGO_TARGET_DIR),target)
WORLD := $(TARGET)/debug/world
# The folder of the world that `make up` leaves running. Beside the one of `make test`, so that both may run at once.
UP := /tmp/seaworthy-up
DEMO := /tmp/seaworthy-demo

.PHONY: help
help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: programs ## Send a merge request of a sample application the whole way, show it, end everything.
	@$(WORLD) run --dir $(DEMO) -- tests/demo

.PHONY: up
up: programs ## Start the service with all its parts and leave it running; prints the address of its page.
	@tests/demo up $(UP)

.PHONY: down
down: programs ## End what `make up` started.
	@tests/demo down $(UP)

.PHONY: test
test: programs-and-tests ## Run all tests, on real parts.
	@$(WORLD) run -- $(CARGO) test --locked --workspace

.PHONY: check
check: fmt sqlx-fresh clippy docs licences ## Check form, lints, documentation, licences and the SQL of .sqlx.

.PHONY: bench
bench: programs ## Measure; prints a table: name, value, goal, ok or short.
	@$(CARGO) build --locked --release
	@$(WORLD) run -- tests/bench

.PHONY: images
images: programs ## Make the base images of the test world and keep them.
	@$(WORLD) images

.PHONY: stacks
stacks: programs-and-tests ## Run an image of every shipped stack, on base images of all JDKs and Tomcats.
	@$(WORLD) images --all >/dev/null
	@$(WORLD) run -- $(CARGO) test --locked --test integration -- stacks:: --ignored --nocapture

.PHONY: sqlx
sqlx: world ## Ask a real Postgres about all queries anew; after a change of a query or a migration.
	@$(WORLD) run -- .ci/sqlx write

# The parts of `check`.

.PHONY: fmt clippy docs licences sqlx-fresh
fmt: tools
	@$(CARGO) fmt --all --check

clippy: tools
	@$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings

docs: tools
	@RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --workspace --no-deps

# `cargo tree --invert` finds a crate or fails, and here it shall find nothing.
licences: tools
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check licenses bans sources; fi
	@for banned in openssl-sys aws-lc-rs; do \
	    if found="$$($(CARGO) tree --locked --workspace --edges normal,build --invert $$banned 2>/dev/null)" && [ -n "$$found" ]; then \
	        echo "$$banned must not be linked (see deny.toml), but:"; echo "$$found"; exit 1; \
	    fi; \
	done
	@$(CARGO) test --locked --quiet --workspace --test integration -- licences:: architecture::

sqlx-fresh: world
	@$(WORLD) run -- .ci/sqlx check

# What the others stand on. `--workspace` always: one set of features, so that nothing is compiled twice.

.PHONY: tools world programs programs-and-tests
tools:
	@.ci/tools

# The test world alone: a service whose queries have changed does not compile before .sqlx is made anew.
world: tools
	@[ -x $(WORLD) ] || $(CARGO) build --locked --package world

programs: tools
	@$(CARGO) build --locked --workspace

programs-and-tests: tools
	@$(CARGO) build --locked --workspace --all-targets
