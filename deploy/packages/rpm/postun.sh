# shellcheck shell=sh
# $1 is 1 after an upgrade: the new guard goes on from the journal of the old. A removal leaves
# /var/lib/thermal-guard, as rpm has no purge.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    if [ "$1" -ge 1 ]; then
        systemctl try-restart thermal-guard.service || :
    fi
fi
