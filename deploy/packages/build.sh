#!/usr/bin/env bash
# Builds the .deb, the .rpm and the tarball into target/packages, with a program that runs on glibc
# 2.28 (Debian 10, RHEL 8, Ubuntu 18.10) and newer. The program isn't static, because a static musl
# program can't load NVML at run time. zig's linker knows the symbols of each glibc.
#   deploy/packages/build.sh [ARCH…]    x86_64, aarch64 or both; by default this machine's
#
# The tools are installed, pinned, under target/packaging; after that this needs no network.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tools=$target/packaging
out=$target/packages
declare -A debian=([x86_64]=amd64 [aarch64]=arm64)
export PATH=$tools/bin:$PATH

# step WHAT COMMAND…: says what begins, and how long it took.
step() {
    local what=$1 began=$SECONDS
    shift
    echo "== $what"
    "$@"
    echo "== $what: $((SECONDS - began)) s"
}

install_tools() {
    [[ -x $tools/bin/cargo-deb ]] || cargo install --quiet --locked --root "$tools" cargo-deb@3.8.0
    [[ -x $tools/bin/cargo-generate-rpm ]] || cargo install --quiet --locked --root "$tools" cargo-generate-rpm@0.21.1
}

build() {
    deploy/packages/cargo.sh "$arch" --profile dist --package thermal-guard --bin thermal-guard
}

# Completions and man pages are the same for each architecture, but only a program of this machine's can write them.
assets() {
    local own
    own=$target/$(uname -m)-unknown-linux-gnu/dist/thermal-guard
    if [[ " ${archs[*]} " != *" $(uname -m) "* ]]; then
        cargo build --locked
        own=$target/debug/thermal-guard
    fi
    deploy/packages/assets.sh "$own"
}

deb() {
    cargo deb --no-build --no-strip --profile dist --target "$triple" --output "$out"
}

# gzip, because the rpm of RHEL 8 may not read zstd.
rpm() {
    cargo generate-rpm --payload-compress gzip --profile dist --target "$triple" --target-dir "$target" --output "$out"
}

archive() {
    local folder=$out/$tarball
    mkdir -p "$folder"/{scripts,docs,examples/{alerts,dashboards,gradio}}
    cp -r "$program" deploy/systemd/thermal-guard.{service,default} deploy/thermal-guard.example.yml \
        deploy/packages/install.sh target/assets/{man,completions} README.md README.zh-CN.md CHANGELOG.md SECURITY.md \
        LICENSE-* "$folder"
    cp deploy/node-problem-detector/thermal-guard-health deploy/slurm/thermal-guard-slurm-* "$folder/scripts"
    cp docs/*.md "$folder/docs"
    cp alerts/*.yml "$folder/examples/alerts"
    cp dashboards/*.json "$folder/examples/dashboards"
    cp deploy/gradio/*.* "$folder/examples/gradio"
    cp deploy/systemd/observe.conf deploy/node-problem-detector/thermal-guard.json "$folder/examples"
    tar -C "$out" --sort=name --owner=0 --group=0 --numeric-owner -czf "$out/$tarball.tar.gz" "$tarball"
    rm -rf "${folder:?}"
}

# of ARCH COMMAND…: what the functions above read.
of() {
    arch=$1 triple=$1-unknown-linux-gnu program=$target/$1-unknown-linux-gnu/dist/thermal-guard
    tarball=thermal-guard-$version-linux-$arch
    shift
    "$@"
}

# One architecture's packages leave the other's where they are.
packages() {
    rm -f "$out"/thermal-guard*[-._]{"$arch","${debian[$arch]}"}.{deb,rpm,tar.gz}
    step "$arch: .deb" deb
    step "$arch: .rpm" rpm
    step "$arch: tarball" archive
}

archs=("$@")
((${#archs[@]})) || archs=("$(uname -m)")
for each in "${archs[@]}"; do
    [[ -n ${debian[$each]:-} ]] || { echo "no packages for $each: x86_64 or aarch64" >&2 && exit 2; }
done

step "tools: cargo-deb, cargo-generate-rpm (once, some minutes)" install_tools
mkdir -p "$out"
for each in "${archs[@]}"; do
    step "$each: program, with link-time optimization" of "$each" build
done
step "completions and man pages" assets
for each in "${archs[@]}"; do
    of "$each" packages
done
(cd "$out" && sha256sum -- *.deb *.rpm *.tar.gz >SHA256SUMS)
for each in "${archs[@]}"; do
    step "$each: what the packages hold" deploy/packages/content.py "$each" "$out"
done
echo "built in $SECONDS s:"
ls -l "$out"
