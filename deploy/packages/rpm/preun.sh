# shellcheck shell=sh
# $1 is 0 before a removal, 1 before an upgrade. The stop gives back what was throttled.
if [ "$1" -eq 0 ]; then
    wait=20s
    if [ -d /run/systemd/system ]; then
        # The stop of a guard that runs has waited already, for as long as it is worth.
        ! systemctl --quiet is-active thermal-guard.service || wait=0s
        systemctl --no-reload disable --now thermal-guard.service || :
    fi
    thermal-guard restore --wait "$wait" ||
        echo "thermal-guard: not everything was given back; the journal in /var/lib/thermal-guard (or /run/thermal-guard, if that took none) says what was before." >&2
fi
