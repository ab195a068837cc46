# shellcheck shell=sh
# After an installation or upgrade. Neither enabled nor started by itself: look first.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
fi
