# The commands of this repository. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Tools that the machine lacks, and everything compiled, live in one folder of the user's cache, outside the
# checkout: a fresh clone starts warm, and removing the folder removes all of it.
SHAPAN_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shapan
CARGO_TARGET_DIR ?= $(SHAPAN_CACHE)/target
export SHAPAN_CACHE CARGO_TARGET_DIR
export PATH := $(SHAPAN_CACHE)/bin:$(PATH)

# `make demo DEMO_DATA=/srv/demo LISTEN=0.0.0.0:8080`
DEMO_DATA ?= demo-data
LISTEN ?= 127.0.0.1:8080
# `make fuzz FUZZ_SECONDS=60`
FUZZ_SECONDS ?= 600

.PHONY: help demo test bench audit fuzz check build-tools test-tools fuzz-tools check-tools bench-tools ui clean-demo

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

# Built together with the bench, for cargo then chooses the features of dependencies once for both.
demo: build-tools ui ## build, seed a demo city and serve it on 127.0.0.1:8080
	cargo build --locked --release --package shapan --package bench
	exec "$(CARGO_TARGET_DIR)/release/shapan" demo --data "$(DEMO_DATA)" --listen "$(LISTEN)"

# All tests are built before the first one runs, with one choice of features, so that nothing is compiled
# twice: the binaries that end-to-end tests start, the unit tests and the doctests share their dependencies.
test: build-tools ui test-tools ## install what the tests need and run them all
	cargo build --locked --workspace --all-targets
	cargo test --locked --workspace --doc --quiet
	cargo nextest run --locked --workspace --all-targets

bench: build-tools ui bench-tools ## measure against the peers; writes target/bench/summary.json
	cargo build --locked --release --package shapan --package bench
	SHAPAN_BENCH_PYTHON="$(SHAPAN_CACHE)/venv-bench/bin/python" \
	SHAPAN_BENCH_SMARTNOISE_PYTHON="$(SHAPAN_CACHE)/venv-smartnoise/bin/python" \
		"$(CARGO_TARGET_DIR)/release/bench" $(BENCH_ARGS)

# The same tests with their loops lengthened: more seeds for the statistical and property tests, more kill
# points for the fault tests. Hours rather than minutes.
audit: build-tools ui test-tools ## the same tests at length: statistical audit, properties, fault loops
	SHAPAN_AUDIT=1 PROPTEST_CASES=3000 cargo nextest run --locked --workspace --all-targets --profile audit
	$(MAKE) fuzz

# The texts that reach new code are kept, so that the next run begins where this one ended. The compiler takes the flags
# of instrumentation in a stable release only if it is told that they are wanted. No address sanitizer: what is looked for
# are panics, hangs and memory, and the code under test has no `unsafe` of its own.
fuzz: build-tools fuzz-tools ## fuzz the SQL front for FUZZ_SECONDS (600)
	mkdir -p "$(SHAPAN_CACHE)/fuzz/sql_front"
	RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none --target-dir "$(SHAPAN_CACHE)/fuzz/target" sql_front \
		"$(SHAPAN_CACHE)/fuzz/sql_front" fuzz/seeds -- -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
		-rss_limit_mb=2048 -max_len=8192 -dict=fuzz/sql.dict

# Documentation is built with the choice of features that clippy has just checked (`--examples` makes cargo
# count dev-dependencies in, as `--all-targets` does), so dependencies are checked once for both.
check: build-tools ui check-tools ## format, lints, documentation, dependency policy, words
	cargo fmt --all --check
	scripts/check-scripts.sh
	scripts/check-words.sh
	scripts/check-dependencies.sh
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --lib --bins --examples

build-tools:
	@scripts/install-build-tools.sh

test-tools: build-tools
	@scripts/install-node.sh
	@scripts/install-test-tools.sh

fuzz-tools: build-tools
	@scripts/install-fuzz-tools.sh

check-tools: build-tools
	@scripts/install-check-tools.sh

bench-tools: build-tools
	@scripts/install-bench-tools.sh

ui: build-tools
	@scripts/build-ui.sh

clean-demo: ## forget the demo's data; the next `make demo` seeds it anew
	rm -rf -- "$(DEMO_DATA)"
