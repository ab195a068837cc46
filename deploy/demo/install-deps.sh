#!/usr/bin/env bash
# Installs the Debian packages that are missing. Arguments: PACKAGE:WITNESS, where the witness is a
# program or a path that the package brings.
#
# Debian starts the services of prometheus and prometheus-alertmanager at installation. Nobody asked
# for them here, so they are kept from starting; one that ran before is left alone.
set -euo pipefail

missing=()
for entry in "$@"; do
    witness=${entry#*:}
    if [[ $witness == /* ]]; then
        [[ -e $witness ]] || missing+=("${entry%%:*}")
    else
        command -v "$witness" >/dev/null || missing+=("${entry%%:*}")
    fi
done
((${#missing[@]} == 0)) && exit 0

echo "installing: ${missing[*]}"
if ((EUID != 0)); then
    echo "not root; install them yourself: apt-get install ${missing[*]}" >&2
    exit 1
fi

# policy-rc.d is Debian's way to install without starting: 101 is "forbidden". One that is there
# already is the administrator's, and stays.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
