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

# What podman wants for containers with a network of their own, and the compose project's two services.
CONTAINER_PACKAGES := $(BOOTED_PACKAGES) netavark:/usr/lib/podman/netavark aardvark-dns:/usr/lib/podman/aardvark-dns \
                      iptables:iptables iproute2:ip build-essential:cc python3-venv:/usr/share/doc/python3-venv \
                      prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager

# Where cargo puts the programs of the one profile for trying, the demo and the tests.
BUILT := $(or $(CARGO_TARGET_DIR),target)/debug

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## the program and the simulated NVML library, as the demo and the tests use them
	cargo build --workspace --locked

.PHONY: test
test: install-deps ## everything that continuous integration checks; ends with a summary
	@deploy/demo/install-deps.sh $(BOOTED_PACKAGES) || true
	tests/all.sh

.PHONY: assets
assets: ## completions for bash, zsh and fish, and man pages, under target/assets
	cargo build --locked
	deploy/packages/assets.sh $(BUILT)/thermal-guard

.PHONY: demo
demo: ## the real chain on this machine: guard, Prometheus, Alertmanager, a GPU that heats up
	deploy/demo/demo.sh

.PHONY: fourth-knob
fourth-knob: ## an imaginary fourth knob, added to a copy of the tree: how many files it touches
	tests/fourth_knob/check.sh

.PHONY: crash-test
crash-test: install-deps ## a thousand guards killed at random moments (about ten minutes)
	cargo build --workspace --locked
	THERMAL_GUARD_CRASH_STORIES=1000 cargo test --locked --test stress crash:: -- --nocapture

.PHONY: bad-cards
bad-cards: ## ten thousand random bad cards: hot ones are held by what works, whatever else is broken (half an hour)
	THERMAL_GUARD_CASES=84 cargo test --locked --release --test virtual_time bad_cards:: -- --nocapture

.PHONY: properties
properties: ## all random histories, plants, chains and cards of the tests, twenty times as many, and new ones (ten minutes)
	THERMAL_GUARD_CASES=20 cargo test --locked --release --test virtual_time

.PHONY: measured
measured: ## the governor on recorded physics beside an oracle: shares, overshoot, writes, 20 seeds each (some minutes)
	THERMAL_GUARD_MEASURED=20 cargo test --locked --release --test virtual_time measured:: -- --nocapture --test-threads=2

.PHONY: cooling
cooling: ## a month of a swinging room without a false alarm about the cooling, and a hundred cards' receipts (some minutes)
	THERMAL_GUARD_COOLING_DAYS=30 THERMAL_GUARD_CASES=20 cargo test --locked --release --test virtual_time cooling:: -- --nocapture

.PHONY: storm-test
storm-test: install-deps ## scrapes beside a hung GPU, a storm of deliveries, a thousand slow clients, with bars (about six minutes)
	cargo build --release --workspace --locked
	THERMAL_GUARD_STORM=full cargo test --release --locked --test stress storm:: -- --nocapture --test-threads=1

.PHONY: bench
bench: install-deps ## beside its peers, reaction, a fleet: writes docs/benchmarks.md (half an hour with what it installs)
	@deploy/demo/install-deps.sh $(BENCH_PACKAGES)
	benches/peers/install.sh
	export RUSTFLAGS="$$(deploy/packages/rustflags.sh)" && cargo build --profile dist --workspace --locked && \
		THERMAL_GUARD_BENCH_WRITE=1 cargo bench --locked --profile dist --bench peers --bench reaction --bench fleet

.PHONY: backtest-bench
backtest-bench: install-deps ## a backtest of 100 GPUs over 30 days in a real Prometheus, with bars (ten minutes, 5 GB of disk)
	cargo bench --locked --profile dist --bench backtest

.PHONY: soak
soak: install-deps ## random trouble: a week in virtual time, and an hour of the real program with Prometheus and Alertmanager
	cargo build --release --workspace --locked
	THERMAL_GUARD_SOAK=full cargo test --release --locked --test stress soak:: -- --nocapture

.PHONY: bench-micro
bench-micro: ## what a decision, a tick, a scrape's text, a delivery cost (Criterion; a few minutes); into docs/benchmarks.md
	THERMAL_GUARD_BENCH_WRITE=1 cargo bench --locked --profile dist --bench micro

.PHONY: helm-test
helm-test: ## the Helm chart: lint, what it renders and refuses, that deploy/kubernetes is its own; wants helm and deploy-check before
	deploy/helm/check.sh

.PHONY: replay
replay: ## recordings of real cards in TRACES=DIR through the policy: no doubt, and a held reading is capped in time
	@test -d "$(TRACES)" || { echo "make replay: TRACES=DIR must name a directory with recordings; docs/replay.md describes them" >&2; exit 2; }
	cargo build --locked
	$(BUILT)/thermal-guard replay --hold "$(TRACES)"

.PHONY: fuzz
fuzz: ## coverage-guided fuzzing of all that reads what others wrote, FUZZ_SECONDS each; wants cargo-fuzz and a C++ compiler
	tests/stress/fuzz/guided/run.sh $(FUZZ_TARGETS)

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
packages: ## the .deb, the .rpm and the tarball, for glibc 2.28 and newer, under target/packages; ARCH="x86_64 aarch64"
	deploy/packages/build.sh $(ARCH)

.PHONY: release-files
release-files: ## all files of a release, for both architectures, with SBOM and checksums (RELEASING.md)
	deploy/release/files.sh

.PHONY: package-test
package-test: ## the packages: in a Debian root, and the .deb on a booted one, crashed, upgraded, purged (as root; 15 minutes)
	@deploy/demo/install-deps.sh rpm:rpm $(BOOTED_PACKAGES)
	deploy/packages/test.sh
	$(BOOTED) --deb target/packages/thermal-guard_*_amd64.deb

.PHONY: arm-test
arm-test: ## the aarch64 packages (make packages ARCH=aarch64) in an arm64 Debian under qemu-user (as root; 10 minutes)
	@deploy/demo/install-deps.sh curl:curl rpm:rpm mmdebstrap:mmdebstrap arch-test:arch-test qemu-user-static:qemu-aarch64-static
	deploy/packages/emulate.sh deploy/packages/test.sh aarch64

.PHONY: vm-test
vm-test: install-deps ## the .deb in a virtual machine: reboot in mid-throttle, closed devices (as root; emulated, ten minutes)
	@deploy/demo/install-deps.sh qemu-system-x86:qemu-system-x86_64 mmdebstrap:mmdebstrap e2fsprogs:mke2fs
	cargo build --workspace --locked
	deploy/packages/booted/vm.py

.PHONY: containers-test
containers-test: ## the image and the compose project in podman, with real Prometheus and Alertmanager (as root; 15 minutes)
	@deploy/demo/install-deps.sh $(CONTAINER_PACKAGES)
	cargo build --workspace --locked
	tests/environments/containers/run.py

.PHONY: kubernetes-test
kubernetes-test: ## the chart on a real Kubernetes with Prometheus' operator, all built by Go (as root; 35 minutes, and 20 of builds once)
	@deploy/demo/install-deps.sh $(CONTAINER_PACKAGES) runc:runc containernetworking-plugins:/usr/lib/cni/ptp openssl:openssl
	cargo build --workspace --locked
	tests/environments/kubernetes/build.sh
	tests/environments/kubernetes/run.py

.PHONY: slurm-test
slurm-test: ## the scripts of deploy/slurm under Slurm's own daemons, Debian 12's and sid's (as root; 25 minutes)
	@deploy/demo/install-deps.sh $(BOOTED_PACKAGES)
	cargo build --workspace --locked
	tests/environments/slurm/run.py

.PHONY: matrix-test
matrix-test: install-deps ## rules and chain with Prometheus 2.42, 2.53 and 3.16, Alertmanager 0.25 to 0.35, VictoriaMetrics (20 minutes)
	cargo build --workspace --locked
	tests/environments/kubernetes/build.sh prometheus alertmanager
	tests/environments/matrix/run.py

.PHONY: environments
environments: ## packages, ARM, systemd, containers, Kubernetes, Slurm, old and new Prometheus (as root; an hour and a half)
	tests/environments/all.sh

.PHONY: fan-figures
fan-figures: ## work lost and heat with full fans first, over NVML, beside a card whose fans are always full (7 minutes)
	THERMAL_GUARD_FAN_MINUTES=120 cargo test --locked --test program full_fans_before -- --nocapture

.PHONY: package-figures
package-figures: install-deps ## seconds without a guard, and the heat, after a crash, restart, upgrade, SIGSTOP (as root; 12 minutes)
	@deploy/demo/install-deps.sh $(BOOTED_PACKAGES)
	cargo build --workspace --locked
	$(BOOTED) --figures

.PHONY: install-deps
install-deps: ## Debian packages that are missing (as root)
	@deploy/demo/install-deps.sh $(PACKAGES)
