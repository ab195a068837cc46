# Targets, one line each; `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Debian packages the tests and the demo use, and the program each of them is looked for by.
PACKAGES := prometheus:promtool prometheus-alertmanager:amtool python3-venv:/usr/share/doc/python3-venv \
            build-essential:cc make:make curl:curl strace:strace chromium:chromium \
            systemd:systemd-analyze

# What only `make bench` wants: all-smi is built from source, and listens where it must not be heard.
BENCH_PACKAGES := protobuf-compiler:protoc libprotobuf-dev:/usr/include/google/protobuf/any.proto \
                  libdrm-dev:/usr/include/libdrm pkg-config:pkg-config iproute2:ip util-linux:unshare

# What a Debian with systemd as PID 1 takes, as a container.
BOOTED_PACKAGES := podman:podman crun:crun mmdebstrap:mmdebstrap
BOOTED := deploy/packages/booted/run.py

NVML_PROOFS := tests/nvml-sim/proofs/run.sh

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## the release binary and the simulated NVML library
	cargo build --release --workspace --locked

.PHONY: test
test: install-deps fmt-check lint ## everything that continuous integration checks
	cargo build --workspace --locked
	# Four at a time on two cores: what runs long here waits for programs, not for a core.
	RUST_TEST_THREADS=4 cargo test --workspace --locked
	tests/supply/run.sh
	tests/side_by_side.sh alerts/check.sh dashboards/check.sh deploy/check.sh
	if [ -x $(NVML_PROOFS) ]; then $(NVML_PROOFS); else echo "no $(NVML_PROOFS) yet"; fi
	tests/browser/run.sh
	tests/gradio/run.sh
	# 77: this machine can't run it (no root, no podman, no network), as it says.
	@deploy/demo/install-deps.sh $(BOOTED_PACKAGES) || true
	$(BOOTED) --fast || [ $$? = 77 ]

.PHONY: assets
assets: ## completions for bash, zsh and fish, and man pages, under target/assets
	rm -rf target/assets
	mkdir -p target/assets/completions
	cargo build --locked
	target/debug/thermal-guard completions bash > target/assets/completions/thermal-guard.bash
	target/debug/thermal-guard completions zsh > target/assets/completions/_thermal-guard
	target/debug/thermal-guard completions fish > target/assets/completions/thermal-guard.fish
	target/debug/thermal-guard man target/assets/man

.PHONY: demo
demo: install-deps build ## the real chain on this machine: guard, Prometheus, Alertmanager, a GPU that heats up
	deploy/demo/demo.sh

.PHONY: crash-test
crash-test: install-deps ## a thousand guards killed at random moments (about ten minutes)
	cargo build --workspace --locked
	THERMAL_GUARD_CRASH_STORIES=1000 cargo test --locked --test crash -- --nocapture

.PHONY: bad-cards
bad-cards: ## ten thousand random bad cards: hot ones are held by what works, whatever else is broken (half an hour)
	THERMAL_GUARD_BAD_CARDS=10000 cargo test --locked --release --test bad_cards -- --nocapture

.PHONY: storm-test
storm-test: install-deps ## scrapes beside a hung GPU, a storm of deliveries, a thousand slow clients, with bars (about six minutes)
	cargo build --release --workspace --locked
	THERMAL_GUARD_STORM=full cargo test --release --locked --test storm -- --nocapture --test-threads=1

.PHONY: bench
bench: install-deps ## beside its peers, reaction, a fleet: measures docs/benchmarks.md anew (half an hour with what it installs)
	@deploy/demo/install-deps.sh $(BENCH_PACKAGES)
	benches/peers/install.sh
	cargo build --release --workspace --locked
	THERMAL_GUARD_BENCH_WRITE=1 cargo bench --locked --bench peers --bench reaction --bench fleet

.PHONY: soak
soak: install-deps ## random trouble: a week in virtual time, and an hour of the real program with Prometheus and Alertmanager
	cargo build --release --workspace --locked
	THERMAL_GUARD_SOAK=full cargo test --release --locked --test soak -- --nocapture

.PHONY: bench-micro
bench-micro: ## what a decision, a tick, a scrape's text, a delivery cost (Criterion; a few minutes); into docs/benchmarks.md
	THERMAL_GUARD_BENCH_WRITE=1 cargo bench --locked --bench micro

.PHONY: fuzz
fuzz: ## coverage-guided fuzzing of all that reads what others wrote, FUZZ_SECONDS each; wants cargo-fuzz and a C++ compiler
	tests/fuzz/guided/run.sh $(FUZZ_TARGETS)

.PHONY: deny
deny: ## licences, sources and second versions of the dependencies, as deny.toml says
	tests/supply/run.sh

.PHONY: advisories
advisories: ## known vulnerabilities of the dependencies; asks github.com; wants cargo-deny
	cargo deny --locked check advisories

.PHONY: machete
machete: ## dependencies that nothing uses; wants cargo-machete (cargo install --locked cargo-machete)
	cargo machete

.PHONY: lint
lint: ## clippy, warnings are errors
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: fmt
fmt: ## format the Rust sources
	cargo fmt --all

.PHONY: fmt-check
fmt-check: ## fail on unformatted Rust sources
	cargo fmt --all -- --check

.PHONY: alerts
alerts: install-deps ## rules, their tests with negative controls, example configurations
	alerts/check.sh

.PHONY: browser
browser: install-deps ## the status page in headless Chromium
	tests/browser/run.sh

.PHONY: mutants
mutants: ## mutation testing of the policy, an hour; wants cargo-mutants (cargo install --locked cargo-mutants)
	tests/mutants/run.sh

.PHONY: coverage
coverage: install-deps ## lines that the Rust tests run of what must not fail, 95 % of each part; wants cargo-llvm-cov and LLVM's tools
	tests/coverage/run.sh

.PHONY: gradio-test
gradio-test: install-deps ## the Gradio module and example: real Gradio, real guard, a browser that clicks
	tests/gradio/run.sh

.PHONY: dashboards
dashboards: install-deps ## dashboards against Grafana's types and a real Prometheus, with planted faults
	dashboards/check.sh

.PHONY: dashboard-types
dashboard-types: ## dashboards/schema from Grafana's types, after a new version (needs node and npm)
	cd dashboards/schema && npm ci --ignore-scripts && npm run generate

.PHONY: pictures
pictures: install-deps ## docs/images/dashboard-*.png (half an hour; needs node, npm and chromium)
	cargo build --workspace --locked
	cd dashboards/render && npm install --ignore-scripts --no-package-lock && python3 pictures.py ../../docs/images

.PHONY: deploy-check
deploy-check: install-deps ## unit, packages, container, compose, Kubernetes, node checks: each with a planted fault
	cargo build --workspace --locked
	deploy/check.sh

.PHONY: packages
packages: ## the .deb, the .rpm and the tarball, for glibc 2.28 and newer, under target/packages
	deploy/packages/build.sh

.PHONY: package-test
package-test: ## the packages: in a Debian root, and the .deb on a booted one, crashed, upgraded, purged (as root; 15 minutes)
	@deploy/demo/install-deps.sh debootstrap:debootstrap rpm:rpm $(BOOTED_PACKAGES)
	deploy/packages/test.sh
	$(BOOTED) --deb target/packages/thermal-guard_*_amd64.deb

.PHONY: vm-test
vm-test: install-deps ## the .deb in a virtual machine: reboot in mid-throttle, closed devices (as root; emulated, ten minutes)
	@deploy/demo/install-deps.sh qemu-system-x86:qemu-system-x86_64 mmdebstrap:mmdebstrap e2fsprogs:mke2fs
	cargo build --workspace --locked
	deploy/packages/booted/vm.py

.PHONY: package-figures
package-figures: install-deps ## seconds without a guard, and the heat, after a crash, restart, upgrade, SIGSTOP (as root; 12 minutes)
	@deploy/demo/install-deps.sh $(BOOTED_PACKAGES)
	cargo build --workspace --locked
	$(BOOTED) --figures

.PHONY: install-deps
install-deps: ## Debian packages that are missing (as root)
	@deploy/demo/install-deps.sh $(PACKAGES)
