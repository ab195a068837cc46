#!/usr/bin/env bash
# Looks into the packages; runs the program over GPUs of its own; installs, upgrades in mid-throttle, removes and purges the
# real .deb in a Debian root, over the simulated NVML library; installs and removes the .rpm and the tarball there, too. As
# root, after `make packages`; a first run downloads the root.
#   deploy/packages/test.sh [ARCH]      another architecture than this machine's: under emulate.sh
#
# There is no systemd in a chroot: the script starts, kills and restarts the guard as the unit says. What systemd itself
# would do (stop before a removal, restart after an upgrade) is not tried here.
set -euo pipefail
cd "$(dirname "$0")/../.."

arch=${1:-$(uname -m)}
declare -A debian=([x86_64]=amd64 [aarch64]=arm64) loaders=([x86_64]=lib64/ld-linux-x86-64.so.2 [aarch64]=lib/ld-linux-aarch64.so.1)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
packages=$target/packages
cache=$target/debian-root-$arch.tar
deb=$(echo "$packages"/thermal-guard_*_"${debian[$arch]}".deb)
next=$target/packages-next-$arch.deb
libraries=usr/lib/$arch-linux-gnu
root=$(mktemp -d)
guard=

cleanup() {
    [[ -z $guard ]] || kill -9 "$guard" 2>/dev/null || true
    umount "$root/proc" 2>/dev/null || true
    rm -rf "$root"
}
trap cleanup EXIT

say() { echo "ok    $*"; }
die() {
    echo "FAIL  $*" >&2
    tail -20 "$root/guard.log" >&2 || true
    exit 1
}
into=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive NVML_SIM_STATE=/sim chroot "$root")
in_root() { "${into[@]}" "$@"; }
card() { in_root nvml-simctl show --json | python3 -c "import json,sys; print(json.load(sys.stdin)['gpus'][0]['$1'])"; }
until_true() { # WHAT COMMAND…: within 60 s
    local what=$1
    shift
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then
            say "$what"
            return
        fi
        sleep 0.2
    done
    die "never: $what"
}
below() { (($(card limit_watts | cut -d. -f1) < $1)); }
state() { curl -sf "localhost:$port/metrics" | grep -q "^thermal_guard_state{.*state=\"$1\".* 1$"; }

# As ExecStart= of the installed unit.
start() {
    local command
    command=$(grep ^ExecStart= "$root/usr/lib/systemd/system/thermal-guard.service")
    command=${command#*=}
    # Not in_root: a function in the background is a shell of its own, which would get the signals.
    # shellcheck disable=SC2086  # a command line
    "${into[@]}" ${command%\$ARGS} --web.listen-address=127.0.0.1:"$port" --debug.time-scale=20 >>"$root/guard.log" 2>&1 &
    guard=$!
    until_true "$1" curl -sf "localhost:$port/-/ready"
}
end() { # SIGNAL
    kill -s "$1" "$guard"
    wait "$guard" || true
    guard=
}

deploy/packages/content.py "$arch" "$packages" || die "the packages don't hold what they should"
say "architecture, glibc, libraries and sums of the three packages"
deploy/packages/content_faults.py "$arch" "$packages" || die "a fault in a package goes unseen"

if [[ ! -e $cache ]]; then
    mmdebstrap --quiet --variant=minbase --architectures="${debian[$arch]}" bookworm "$cache.part.tar"
    mv "$cache.part.tar" "$cache"
fi
tar -C "$root" -xf "$cache"
mount -t proc proc "$root/proc"
port=$((20000 + RANDOM % 10000))

# The driver and the card.
if [[ $arch == "$(uname -m)" ]]; then
    cargo build --quiet --workspace --locked
    simulator=$target/debug
else
    deploy/packages/cargo.sh "$arch" --quiet --package nvml-sim
    simulator=$target/$arch-unknown-linux-gnu/debug
fi
install -D "$simulator/libnvidia_ml.so" "$root/$libraries/libnvidia-ml.so.1"
install -D "$simulator/nvml-simctl" "$root/usr/bin/nvml-simctl"
in_root nvml-simctl create --time-scale 20 --gpu a100-80gb >/dev/null
in_root nvml-simctl limit 392.5

# The same package as a newer version.
unpacked=$(mktemp -d "$root/unpacked.XXXX")
dpkg-deb --raw-extract "$deb" "$unpacked"
sed -i 's/^Version: .*/Version: 99.0-1/' "$unpacked/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$unpacked" "$next" >/dev/null
cp "$deb" "$root/now.deb"
cp "$next" "$root/next.deb"

in_root dpkg --install /now.deb >/dev/null
say "installs, offline, without a dependency beyond libc6"
[[ ! -e $root/etc/systemd/system/multi-user.target.wants/thermal-guard.service ]] || die "enabled itself"
[[ -s $root/usr/share/man/man1/thermal-guard.1.gz && -s $root/usr/share/bash-completion/completions/thermal-guard ]] || die "no man page, no completion"
in_root thermal-guard check --config.file=/etc/thermal-guard/thermal-guard.yml >"$root/check.txt" || die "check fails on the unedited configuration: $(cat "$root/check.txt")"
say "check passes on the unedited configuration"

deploy/packages/smoke.py "$root" || die "over simulated GPUs of its own"

start "the installed guard is ready"
in_root nvml-simctl set load=1 inlet=38 airflow=1.6
until_true "heat is throttled" below 392
cp "$root/etc/thermal-guard/thermal-guard.yml" "$root/before.yml"
echo 'poll_interval: 900ms   # edited' >>"$root/etc/thermal-guard/thermal-guard.yml"
in_root dpkg --install /next.deb >/dev/null
grep -q edited "$root/etc/thermal-guard/thermal-guard.yml" || die "the upgrade lost an edit of the configuration"
below 392 || die "the upgrade raised the limit"
end TERM
in_root thermal-guard restore --wait 0s >/dev/null 2>&1 && die "restore gave back to a hot GPU"
below 392 || die "the restart raised the limit of a hot GPU"
say "upgraded in mid-throttle: capped, journalled, configuration kept"
start "the new version is ready"
until_true "it goes on with what the old one throttled" state gradual
curl -sf "localhost:$port/metrics" | grep -q 'thermal_guard_throttle_events_total{.*trigger="local".* [1-9]' && die "it began anew instead"

end KILL
in_root nvml-simctl set load=0.05 inlet=20 airflow=0.5
below 392 || die "the limit didn't outlive the guard"
cool() { (($(card die | cut -d. -f1) < 60)); }
until_true "the card cools, with its cap" cool
in_root dpkg --remove thermal-guard >"$root/remove.txt" 2>&1 || die "$(cat "$root/remove.txt")"
[[ $(card limit_watts) == 392.5 ]] || die "removed, but the limit is $(card limit_watts)"
say "removed after a kill -9: the limit is exactly what it was"
[[ -d $root/var/lib/thermal-guard && -e $root/etc/thermal-guard/thermal-guard.yml ]] || die "a removal is no purge"
in_root dpkg --purge thermal-guard >/dev/null 2>&1
[[ ! -e $root/var/lib/thermal-guard && ! -e $root/etc/thermal-guard && ! -e $root/etc/default/thermal-guard ]] || die "purged, but something is left"
say "purged: state, token and settings are gone"

cp "$packages"/thermal-guard-*."$arch".rpm "$root/now.rpm"
[[ -z $(rpm --query --package --recommends "$root/now.rpm") ]] || die "the .rpm recommends other packages"
# rpm judges by this machine's architecture, not by the root's; content.py has seen the package's.
foreign=()
[[ $arch == "$(uname -m)" ]] || foreign=(--ignorearch)
rpm --root "$root" --install --nodeps --nosignature "${foreign[@]}" "$root/now.rpm"
in_root thermal-guard check --config.file=/etc/thermal-guard/thermal-guard.yml >/dev/null
rpm --root "$root" --erase thermal-guard
[[ ! -e $root/usr/bin/thermal-guard ]] || die "the .rpm left the program"
say "the .rpm installs, checks and is erased"

mkdir "$root/tarball"
tar -C "$root/tarball" --strip-components=1 -xf "$packages"/thermal-guard-*-"$arch".tar.gz
in_root /tarball/install.sh >/dev/null
in_root thermal-guard check --config.file=/etc/thermal-guard/thermal-guard.yml >/dev/null
in_root /tarball/install.sh --remove >/dev/null
[[ ! -e $root/usr/bin/thermal-guard ]] || die "install.sh --remove left the program"
say "the tarball installs, checks and removes itself"

# What the container images do, without a daemon: the image's files, its users, its capabilities, a read-only root.
image=$root/image
mkdir -p "$image"/{etc,proc,sim,usr/bin,"$libraries",lib64,var/lib/thermal-guard,run/thermal-guard}
ln -s usr/lib "$image/lib"
install "$target/$arch-unknown-linux-gnu/dist/thermal-guard" "$root/usr/bin/setpriv" "$image/usr/bin/"
for library in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 libgcc_s.so.1 libcap-ng.so.0; do
    cp "$root/lib/$arch-linux-gnu/$library" "$image/$libraries/" 2>/dev/null || cp "$root/$libraries/$library" "$image/$libraries/"
done
cp "$root/${loaders[$arch]}" "$image/${loaders[$arch]}"
cp "$simulator/libnvidia_ml.so" "$image/$libraries/libnvidia-ml.so.1"
in_image() { in_root env NVML_SIM_STATE=/image/sim/state nvml-simctl "$@"; }
in_image create --time-scale 20 --gpu a100-80gb >/dev/null
in_image set load=1 inlet=38 airflow=1.6
chmod -R a+rwX "$image/sim"

# contain WHAT SETPRIV-FLAGS… -- FLAGS…: state and locks of its own, everything else read-only.
contain() {
    local what=$1 user=$2 flags=()
    shift 2
    while [[ $1 != -- ]]; do
        flags+=("$1")
        shift
    done
    shift
    chown -R "$user:$user" "$image"/{var/lib,run}/thermal-guard
    # shellcheck disable=SC2016  # for the inner shell
    unshare --mount sh -eu -c '
        image=$1; shift
        mount --bind "$image" "$image"
        for place in sim var/lib/thermal-guard run/thermal-guard; do mount --bind "$image/$place" "$image/$place"; done
        mount -t proc proc "$image/proc"
        mount -o remount,ro,bind "$image"
        exec env -i PATH=/usr/sbin:/usr/bin:/bin NVML_SIM_STATE=/sim/state chroot "$image" setpriv "$@"' sh "$image" \
        --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all "${flags[@]}" \
        thermal-guard "$@" --web.listen-address=127.0.0.1:"$port" --debug.time-scale=20 >>"$root/guard.log" 2>&1 &
    guard=$!
    until_true "$what" curl -sf "localhost:$port/-/ready"
}
watts() { in_image show --json | python3 -c "import json,sys; print(json.load(sys.stdin)['gpus'][0]['limit_watts'])"; }

: >"$root/guard.log"
contain "the read-only container runs: no root, no capability" 65532 --bounding-set=-all -- serve --mode=observe
hot() { state gradual || state emergency; } # nothing is lowered, so how hot it gets depends on when the guard is there
until_true "it sees the heat" hot
[[ $(watts) == 400* ]] || die "observe wrote: $(watts)"
[[ $(grep ^CapEff: "/proc/$guard/status" | cut -f2) == 0000000000000000 ]] || die "it has capabilities"
end TERM
contain "the actuating container runs: root with CAP_SYS_ADMIN alone" 0 --bounding-set=-all,+sys_admin -- serve
[[ $(grep ^CapEff: "/proc/$guard/status" | cut -f2) == 0000000000200000 ]] || die "other capabilities"
lowered() { [[ $(watts) != 400* ]]; }
until_true "it throttles" lowered
end TERM

echo "all package tests passed"
