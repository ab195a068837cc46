#!/usr/bin/env bash
# Everything that a release consists of, under target/packages: packages and tarballs for both
# architectures, a list of what is in the program (CycloneDX), and SHA256SUMS over all of it.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
out=$target/packages
tools=$target/packaging
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

deploy/packages/build.sh x86_64 aarch64

[[ -x $tools/bin/cargo-cyclonedx ]] || cargo install --quiet --locked --root "$tools" cargo-cyclonedx@0.5.7
# It writes beside each Cargo.toml.
PATH=$tools/bin:$PATH cargo cyclonedx --manifest-path Cargo.toml --format json --spec-version 1.5 --override-filename sbom
mv sbom.json "$out/thermal-guard-$version.cdx.json"
rm -f tests/nvml-sim/sbom.json

(cd "$out" && sha256sum -- *.deb *.rpm *.tar.gz *.cdx.json >SHA256SUMS)
echo "under $out:"
(cd "$out" && ls -l -- *.deb *.rpm *.tar.gz *.cdx.json SHA256SUMS)
