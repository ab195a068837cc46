# shellcheck shell=sh
# $1 is 0 before a removal, 1 before an upgrade. The stop gives back what was throttled.
if [ "$1" -eq 0 ]; then
    if [ -d /run/systemd/system ]; then
        systemctl --no-reload disable --now thermal-guard.service || :
    fi
    thermal-guard restore --wait 20s ||
        echo "thermal-guard: not everything was given back; the journal in /var/lib/thermal-guard says what was before." >&2
fi
