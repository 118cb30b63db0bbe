# All tasks of the project; CI runs only these. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# All Rust code except the mobile builds, with the features for internal tests and the bindings
# generator.
RUST := --workspace --all-features --locked
# Programs that other parts call. Including the examples makes cargo reuse the dependencies built for
# the tests.
PROGRAMS := --lib --bins --examples
# The reference backend is a separate workspace.
BACKEND := --manifest-path examples/backend-rust/Cargo.toml
# The benchmark too.
BENCHES := --manifest-path benches/Cargo.toml
# The fuzz targets too.
FUZZ := --manifest-path fuzz/Cargo.toml

.PHONY: help bench fuzz soak soak-backends mutants sanitize test test-rust test-coverage test-fuzz test-kotlin test-android-sample test-swift test-phone test-ios-sample test-backends test-contracts test-differential test-page differential release-rehearsal reproducible size lint audit format bindings site screenshots scale-plot

help: ## lists the tasks; FILTER=NAME runs one test of test-kotlin, test-swift or test-backends
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 21

test: ## all tests; lists at the end what passed, and what was skipped and why
	@scripts/test-all +phone +fuzz rust coverage kotlin android-sample swift backends contracts differential page phone fuzz ios-sample

test-rust: ## the crate, the simulator, the command line; on Linux also the benchmark's unit tests
	@# First: its build of the library has the file name of the others', and cargo would reuse it.
	[ "$$(uname)" != Linux ] || cargo test $(BENCHES) --target-dir $${CARGO_TARGET_DIR:-target} --locked
	@scripts/test-rust $(RUST)
	@echo "ran: rust"

test-coverage: ## line coverage of each file in src/; after test-rust
	@scripts/with-python coverage scripts/coverage report

test-fuzz: ## all seeds and corpora of fuzz/, and about a minute of fuzzing
	@scripts/with-python fuzz scripts/fuzz --test

test-kotlin: bindings ## the Android library, on the JVM against the simulator
	@scripts/test-kotlin

test-android-sample: bindings ## the sample app's real screen, with the real library, against the simulator
	@scripts/test-android-sample

test-swift: bindings ## the Swift package: its tests, its public API, its format
	@scripts/test-swift

test-ios-sample: bindings ## the iOS sample's own code, its Xcode project, the library for iOS; after test-phone
	@scripts/test-ios-sample

test-phone: ## lints, compiles and links the mobile libraries, and checks their size (runs no tests)
	@scripts/test-phone

test-backends: ## the reference backends: contract, security, malformed requests, replicas with Redis, load
	cargo build $(RUST) $(PROGRAMS)
	@scripts/test-backends

test-contracts: ## the simulator and the command line against CAMARA's verify API and docs/backend-api.yaml
	cargo build $(RUST) $(PROGRAMS)
	@scripts/test-contracts

test-differential: ## Locations, cookies, dates and response heads, compared with Node.js and tough-cookie
	@scripts/test-differential

test-page: ## the simulator's page in headless Chromium; UPDATE_SCREENSHOTS=1 writes docs/screenshots/simulator
	cargo build $(RUST) $(PROGRAMS)
	@scripts/test-page

differential: ## the same with 200,000 inputs of each (docs/differential.md)
	DIFFERENTIAL_SEED=$${DIFFERENTIAL_SEED:-$$RANDOM} DIFFERENTIAL_COUNT=$${DIFFERENTIAL_COUNT:-200000} scripts/test-differential

bench: bindings ## cost of a verification over a slow link, compared with OkHttp and curl; writes docs/performance.md. Linux, as root
	@scripts/bench

fuzz: ## fuzzes the targets of fuzz/; FUZZ_SECONDS (300) or FUZZ_RUNS of each (docs/fuzzing.md)
	@scripts/fuzz

mutants: ## mutation testing: lists mutations that no test detects; takes hours (docs/mutants.md)
	@scripts/mutants

sanitize: bindings ## the tests, and calls from Python, with AddressSanitizer. Linux
	@scripts/sanitize

soak: ## 100,000 verifications on one verifier, 5,000 over real sockets, all orders of 6 events (docs/soak.md)
	SOAK_SEED=$${SOAK_SEED:-$$RANDOM} SOAK_COUNT=$${SOAK_COUNT:-100000} cargo test --profile soak --all-features --locked --test soak -- --nocapture
	SOAK_SEED=$${SOAK_SEED:-$$RANDOM} SOAK_COUNT=$${SOAK_SOCKETS:-5000} cargo test --profile soak --all-features --locked --test soak_sockets -- --nocapture
	INTERLEAVINGS=$${INTERLEAVINGS:-6} cargo test --profile soak --all-features --locked --test virtual interleavings -- --nocapture

release-rehearsal: bindings test-phone ## makes and checks what a release publishes, and verifies a number with apps built from it (RELEASING.md)
	@scripts/release-rehearsal

reproducible: ## builds the library twice as shipped, and compares; for mobile: scripts/reproducible android android-arm ios
	@scripts/reproducible

soak-backends: ## 1,000,000 verifications through three replicas of each backend and Redis, with restarts of each part. Linux
	@scripts/soak-backends

size: ## size of the built mobile libraries, compared with their budget
	@scripts/size

lint: ## format, clippy, documentation, its words, links and code blocks, the site, versions, licences and sources of dependencies, OpenAPI, the Gradle build, shell scripts, the workflows
	cargo fmt --all --check
	cargo fmt $(BACKEND) --check
	cargo fmt $(BENCHES) --check
	cargo fmt $(FUZZ) --check
	cargo clippy $(RUST) --all-targets -- -D warnings
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/scripts/rustc-clippy cargo build $(BACKEND) --target-dir $${CARGO_TARGET_DIR:-target} --locked --all-targets
	[ "$$(uname)" != Linux ] || cargo clippy $(BENCHES) --target-dir $${CARGO_TARGET_DIR:-target} --locked --all-targets -- -D warnings
	cargo clippy $(FUZZ) --target-dir $${CARGO_TARGET_DIR:-target} --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(RUST) --no-deps
	@scripts/version
	@scripts/lint-dependencies
	@scripts/lint-openapi
	@scripts/lint-gradle
	@scripts/lint-shell
	@scripts/with-python language scripts/lint-language
	@scripts/with-python docs scripts/lint-docs
	@scripts/site

audit: ## known vulnerabilities and yanked versions of all dependencies; needs the network and pip-audit
	@scripts/audit

format: ## formats the Rust sources
	cargo fmt --all
	cargo fmt $(BACKEND)
	cargo fmt $(BENCHES)
	cargo fmt $(FUZZ)

bindings: ## builds the library and the simulator, and generates the Kotlin and Swift bindings
	cargo build $(RUST) $(PROGRAMS)
	@scripts/generate-bindings

site: bindings ## builds the documentation site with the API references into target/site
	@scripts/site api

screenshots: bindings ## renders the sample app's screenshots into docs/screenshots
	@scripts/test-android-sample docs/screenshots/android

scale-plot: ## simulates a million phones and a backend outage, and draws docs/performance/outage.svg
	@scripts/plot-outage
