#!/usr/bin/env bash
# cargo for an architecture, with zig as the linker, for glibc 2.28 and newer. What it builds lies in
# target/ARCH-unknown-linux-gnu.
#   deploy/packages/cargo.sh ARCH FLAGS…      as of `cargo build`
#
# The compiler is the installed one if it has the standard library of that architecture (`rustup target add
# ARCH-unknown-linux-gnu`). If not, a Debian 13 under target/packaging compiles: its Rust is another version, its standard
# library comes from Debian. That needs root and mmdebstrap; a first run downloads some 300 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."

GLIBC=2.28
arch=$1
shift
triple=$arch-unknown-linux-gnu
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tools=$target/packaging
root=$tools/debian-13-for-$arch
declare -A debian=([x86_64]=amd64 [aarch64]=arm64)

install_zig() {
    [[ ! -x $tools/venv/bin/cargo-zigbuild ]] || return 0
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check ziglang==0.17.1 cargo-zigbuild==0.24.0
}

# Whether the installed compiler has that architecture's standard library.
has_std() {
    compgen -G "$(rustc --print target-libdir --target "$triple")/libstd-*.rlib" >/dev/null
}

remedy() {
    echo "$(rustc --version) has no standard library for $arch: rustup target add $triple" >&2
    echo "or, for Debian's compiler instead: $1" >&2
    exit 1
}

# Debian's compiler of this machine, and the standard library for the other. That package can't be installed beside this
# machine's own (their dependencies conflict), and its files are all that is wanted.
install_debian() {
    [[ ! -e $root/complete ]] || return 0
    ((EUID == 0)) || remedy "run this as root"
    command -v mmdebstrap >/dev/null || remedy "apt-get install mmdebstrap"
    rm -rf --one-file-system "$root"
    local own
    own=$(dpkg --print-architecture)
    # shellcheck disable=SC2016  # for the shell of the hook
    mmdebstrap --quiet --variant=apt --architectures="$own,${debian[$arch]}" --include=rustc-web,cargo-web,gcc,libc6-dev \
        --customize-hook='cd "$1/tmp" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q download libstd-rust-web-dev:'"${debian[$arch]}" \
        --customize-hook='dpkg-deb --extract "$1"/tmp/libstd-rust-web-dev_*.deb "$1" && rm "$1"/tmp/*.deb' \
        trixie "$root"
    mkdir -p "$root"/{src,target,cargo}
    touch "$root/complete"
}

# in_debian FLAGS…: the tree is read-only there, and there is no network. The mounts end with the command.
in_debian() {
    local revision flags
    revision=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
    flags=$(deploy/packages/rustflags.sh /cargo)
    # shellcheck disable=SC2016  # for the inner shell
    unshare --mount bash -euo pipefail -c '
        root=$1 tree=$2 target=$3 cargo=$4 revision=$5 flags=$6
        shift 6
        mount --bind "$tree" "$root/src"
        mount -o remount,ro,bind "$root/src"
        mount --bind "$target" "$root/target"
        mount --bind "$cargo" "$root/cargo"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        zig=$(cd "$target/packaging/venv/lib" && echo python3*/site-packages/ziglang/zig)
        exec env -i PATH=/target/packaging/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp CARGO_HOME=/cargo CARGO_TARGET_DIR=/target \
            CARGO_NET_OFFLINE=true RUSTFLAGS="$flags" CARGO_ZIGBUILD_ZIG_PATH="/target/packaging/venv/lib/$zig" THERMAL_GUARD_REVISION="$revision" \
            chroot "$root" sh -eu -c "cd /src && exec cargo \"\$@\"" sh "$@"' \
        bash "$root" "$PWD" "$target" "${CARGO_HOME:-$HOME/.cargo}" "$revision" "$flags" "$@"
}

install_zig
if has_std; then
    echo "compiler: $(rustc --version)"
    RUSTFLAGS=$(deploy/packages/rustflags.sh)
    export RUSTFLAGS
    PATH=$tools/venv/bin:$PATH cargo zigbuild --locked --target "$triple.$GLIBC" "$@"
else
    install_debian
    echo "compiler: Debian's $(chroot "$root" rustc --version), because $(rustc --version) has no standard library for $arch"
    echo "(rustup target add $triple brings one)"
    in_debian zigbuild --locked --target "$triple.$GLIBC" "$@"
fi
