#!/usr/bin/env bash
# Builds the .deb, the .rpm and the tarball into target/packages, with a program that runs on glibc
# 2.28 (Debian 10, RHEL 8, Ubuntu 18.10) and newer. Not static: NVML is loaded at run time, which a
# static musl program can't. zig's linker knows the symbols of each glibc.
#
# The tools are installed, pinned, under target/packaging; after that this needs no network.
set -euo pipefail
cd "$(dirname "$0")/../.."

GLIBC=2.28
TARGET=x86_64-unknown-linux-gnu
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
tools=$PWD/target/packaging
out=$PWD/target/packages

if [[ ! -x $tools/venv/bin/cargo-zigbuild ]]; then
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check ziglang==0.17.1 cargo-zigbuild==0.24.0
fi
[[ -x $tools/bin/cargo-deb ]] || cargo install --quiet --locked --root "$tools" cargo-deb@3.8.0
[[ -x $tools/bin/cargo-generate-rpm ]] || cargo install --quiet --locked --root "$tools" cargo-generate-rpm@0.21.1
export PATH=$tools/venv/bin:$tools/bin:$PATH

make assets
cargo zigbuild --release --locked --target "$TARGET.$GLIBC" --bin thermal-guard
program=target/$TARGET/release/thermal-guard

# The floor is a promise; the program says what it needs.
needs=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
if [[ $(printf '%s\n' "$needs" "GLIBC_$GLIBC" | sort -V | tail -1) != "GLIBC_$GLIBC" ]]; then
    echo "the program needs $needs, more than GLIBC_$GLIBC" >&2
    exit 1
fi

rm -rf "$out"
mkdir -p "$out"
cargo deb --no-build --no-strip --target "$TARGET" --output "$out" "$@"
# gzip, because the rpm of RHEL 8 may not read zstd.
cargo generate-rpm --payload-compress gzip --target "$TARGET" --output "$out"

tarball=thermal-guard-$version-linux-x86_64
mkdir -p "$out/$tarball"/{scripts,docs,examples/{alerts,dashboards,gradio}}
cp -r "$program" deploy/systemd/thermal-guard.{service,default} deploy/thermal-guard.example.yml \
    deploy/packages/install.sh target/assets/{man,completions} README.md README.zh-CN.md CHANGELOG.md SECURITY.md \
    LICENSE-* "$out/$tarball"
cp deploy/node-problem-detector/thermal-guard-health deploy/slurm/thermal-guard-slurm-health "$out/$tarball/scripts"
cp docs/*.md "$out/$tarball/docs"
cp alerts/*.yml "$out/$tarball/examples/alerts"
cp dashboards/*.json "$out/$tarball/examples/dashboards"
cp deploy/gradio/*.* "$out/$tarball/examples/gradio"
cp deploy/systemd/observe.conf deploy/node-problem-detector/thermal-guard.json "$out/$tarball/examples"
tar -C "$out" --sort=name --owner=0 --group=0 --numeric-owner -czf "$out/$tarball.tar.gz" "$tarball"
rm -rf "${out:?}/$tarball"

echo "needs $needs; built:"
ls -l "$out"
