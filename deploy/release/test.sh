#!/usr/bin/env bash
# check.sh and notes.sh on a small repository that is fit to be released, and with each mistake in it.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git() { command git -C "$scratch/tree" -c user.name=test -c user.email=test@example.org "$@"; }

# A repository, with sed's EXPRESSION done to FILE.
repository() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/deploy/helm/thermal-guard"
    cp -r deploy/release "$scratch/tree/deploy"
    cp deploy/helm/thermal-guard/Chart.yaml "$scratch/tree/deploy/helm/thermal-guard"
    sed 's/\.example/.org/' Cargo.toml >"$scratch/tree/Cargo.toml"
    printf '# Changelog\n\n## [Unreleased]\n\n## [%s] - 2026-01-31\n\n### Added\n\n- All of it.\n\n## [0.0.1] - 2025-01-01\n\n- Before.\n' \
        "$version" >"$scratch/tree/CHANGELOG.md"
    [[ $# -eq 0 ]] || sed -i "$2" "$scratch/tree/$1"
    git init --quiet && git add --all && git commit --quiet --message=all
}
checked() { "$scratch/tree/deploy/release/check.sh" "$1" 2>&1; }

# refused WORDS TAG [FILE EXPRESSION]
refused() {
    local words=$1 tag=$2 said
    repository "${@:3}"
    if said=$(checked "$tag"); then
        echo "not refused: $words" && exit 1
    fi
    grep -qF -- "$words" <<<"$said" || { echo "refused for another reason than \"$words\": $said" && exit 1; }
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
repository
checked "v$version" >/dev/null
[[ $("$scratch/tree/deploy/release/notes.sh" "v$version" | sed '/^$/d') == $'### Added\n- All of it.' ]]
if "$scratch/tree/deploy/release/notes.sh" v9.9.9 2>/dev/null; then
    echo "notes of a version that isn't there" && exit 1
fi
touch "$scratch/tree/forgotten"
if checked "v$version" >/dev/null; then
    echo "not refused: a file that isn't committed" && exit 1
fi
refused 'the tag is v9.9.9' v9.9.9
refused 'another appVersion' "v$version" deploy/helm/thermal-guard/Chart.yaml 's/^appVersion:.*/appVersion: 0.0.1/'
refused 'no section' "v$version" CHANGELOG.md 's/ - 2026-01-31//'
refused '.example address' "v$version" Cargo.toml 's/^authors = .*/authors = ["A <a@b.example>"]/'
echo "release checks: ok"
