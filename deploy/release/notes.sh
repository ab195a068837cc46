#!/usr/bin/env bash
# A release's section of CHANGELOG.md, without its heading.
#   deploy/release/notes.sh vX.Y.Z
set -euo pipefail
cd "$(dirname "$0")/../.."

version=${1#v}
notes=$(awk -v heading="## [$version]" '
    index($0, heading) == 1 { inside = 1; next }
    inside && (/^## / || /^\[[^]]*\]: /) { exit }
    inside { print }
' CHANGELOG.md)
[[ -n ${notes//[[:space:]]/} ]] || { echo "release: CHANGELOG.md has nothing for $version" >&2 && exit 1; }
printf '%s\n' "$notes"
