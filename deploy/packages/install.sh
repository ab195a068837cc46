#!/bin/sh
# Installs or removes what lies beside this script, for systems without .deb and .rpm. As root.
#   ./install.sh            install, or upgrade and restart a guard that runs
#   ./install.sh --remove   stop it, give everything back, remove the program; settings and state stay
# DESTDIR=/somewhere installs there, or removes it from there, and talks to no systemd and no GPU.
set -eu
cd "$(dirname "$0")"
root=${DESTDIR:-}

systemd() {
    if [ -z "$root" ] && [ -d /run/systemd/system ]; then
        systemctl "$@"
    fi
}

if [ "${1:-}" = --remove ]; then
    systemd disable --now thermal-guard || true
    # The GPUs are those of this machine's guard, not of an image's.
    if [ -z "$root" ] && ! /usr/bin/thermal-guard restore --wait 20s; then
        echo "not everything was given back: nothing was removed; try again once the GPUs are cool" >&2
        exit 1
    fi
    rm -f "$root/usr/bin/thermal-guard" "$root/usr/lib/systemd/system/thermal-guard.service" \
        "$root"/usr/libexec/thermal-guard/thermal-guard-* "$root"/usr/share/man/man[15]/thermal-guard*.[15] \
        "$root/usr/share/bash-completion/completions/thermal-guard" \
        "$root/usr/share/zsh/vendor-completions/_thermal-guard" \
        "$root/usr/share/fish/vendor_completions.d/thermal-guard.fish"
    rmdir "$root/usr/libexec/thermal-guard" 2>/dev/null || true
    systemd daemon-reload
    systemd reset-failed thermal-guard 2>/dev/null || true
    echo "removed; /etc/thermal-guard, /etc/default/thermal-guard and /var/lib/thermal-guard are left"
    exit 0
fi
if [ $# -gt 0 ]; then
    echo "usage: $0 [--remove]" >&2
    exit 2
fi

install -D -m 0755 thermal-guard "$root/usr/bin/thermal-guard"
install -D -m 0644 thermal-guard.service "$root/usr/lib/systemd/system/thermal-guard.service"
for script in scripts/*; do
    install -D -m 0755 "$script" "$root/usr/libexec/thermal-guard/${script##*/}"
done
for page in man/*.[15]; do
    install -D -m 0644 "$page" "$root/usr/share/man/man${page##*.}/${page##*/}"
done
install -D -m 0644 completions/thermal-guard.bash "$root/usr/share/bash-completion/completions/thermal-guard"
install -D -m 0644 completions/_thermal-guard "$root/usr/share/zsh/vendor-completions/_thermal-guard"
install -D -m 0644 completions/thermal-guard.fish "$root/usr/share/fish/vendor_completions.d/thermal-guard.fish"
# Settings that are there are the administrator's.
[ -e "$root/etc/thermal-guard/thermal-guard.yml" ] ||
    install -D -m 0644 thermal-guard.example.yml "$root/etc/thermal-guard/thermal-guard.yml"
[ -e "$root/etc/default/thermal-guard" ] ||
    install -D -m 0644 thermal-guard.default "$root/etc/default/thermal-guard"
systemd daemon-reload
systemd try-restart thermal-guard
echo "installed; look first (thermal-guard check), then: systemctl enable --now thermal-guard"
