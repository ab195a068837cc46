#!/usr/bin/env bash
# What must be right before anything is released. Each mistake is named with its remedy; it changes nothing.
#   deploy/release/check.sh vX.Y.Z
set -euo pipefail
cd "$(dirname "$0")/../.."

tag=${1:?usage: deploy/release/check.sh vX.Y.Z}
mistakes=0
wrong() {
    echo "release: $*" >&2
    mistakes=$((mistakes + 1))
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
[[ $tag == "v$version" ]] || wrong "the tag is $tag, and Cargo.toml says $version: tag v$version, or change Cargo.toml and Cargo.lock"
grep -q "^appVersion: \"\?$version\"\?$" deploy/helm/thermal-guard/Chart.yaml ||
    wrong "deploy/helm/thermal-guard/Chart.yaml has another appVersion than $version"
grep -q "^## \[$version\] - [0-9]\{4\}-[0-9][0-9]-[0-9][0-9]$" CHANGELOG.md ||
    wrong "CHANGELOG.md has no section \`## [$version] - YYYY-MM-DD\`: rename [Unreleased]"
# The one place that says where the project lives and who keeps it.
grep -q '^\(repository\|homepage\|authors\) = .*\.example' Cargo.toml &&
    wrong "[workspace.package] in Cargo.toml still has a .example address: say where the project is published, and who keeps it"
[[ -z $(git status --porcelain) ]] || wrong "the working tree has changes: commit or remove them"

((mistakes == 0)) && echo "release: $tag is fit to be released"
