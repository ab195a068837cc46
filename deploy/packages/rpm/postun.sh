# shellcheck shell=sh
# $1 is 1 after an upgrade: the new guard goes on from the journal of the old. A removal leaves
# /var/lib/thermal-guard, as rpm has no purge.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    if [ "$1" -ge 1 ]; then
        systemctl try-restart thermal-guard.service || :
    else
        # A stop that had to leave a hot GPU capped counts as failed; a unit that is gone must not.
        systemctl reset-failed thermal-guard.service 2>/dev/null || :
    fi
fi
