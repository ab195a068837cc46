"""Packages with one fault each, and the steps that have to find it: a step that can't fail shows nothing."""

import re
from pathlib import Path
from typing import Callable, NamedTuple

UNIT = "usr/lib/systemd/system/thermal-guard.service"


class Fault(NamedTuple):
    """What it is, how the unpacked package gets it, and the step that must fail."""
    what: str
    edit: Callable[[Path], None]
    step: str


def edit(path, change):
    """A fault that changes nothing is none."""
    def apply(root: Path):
        before = (root / path).read_text(encoding="utf-8")
        after = change(before)
        if after == before:
            raise ValueError(f"the fault changes nothing in {path}")
        (root / path).write_text(after, encoding="utf-8")
    return apply


def in_service(*lines):
    """Later lines win, or add."""
    return edit(UNIT, lambda text: text.replace("[Install]", "".join(f"{line}\n" for line in lines) + "\n[Install]"))


def without(path, pattern):
    return edit(path, lambda text: re.sub(pattern, "", text, flags=re.MULTILINE))


FAULTS = [Fault(*fault) for fault in [
    ("a package that recommends NVIDIA's library",
     edit("DEBIAN/control", lambda text: text.replace("Description:", "Recommends: libnvidia-ml1\nDescription:")), "alone"),
    ("a unit too strict: no sockets but local ones", in_service("RestrictAddressFamilies=", "RestrictAddressFamilies=AF_UNIX"), "started"),
    ("a unit too strict: no state", in_service("ReadOnlyPaths=/var/lib/thermal-guard"), "heat"),
    ("a unit too strict: no owner of a file can be kept", without(UNIT, r"^SystemCallFilter=@chown$"), "allowed_file"),
    ("a unit too lax: the whole file system is writable", in_service("ProtectSystem=no"), "holds"),
    ("a unit too lax: memory may be written and executed", in_service("MemoryDenyWriteExecute=no"), "holds"),
    ("a postinst that starts the guard past the drop-in", edit("DEBIAN/postinst", lambda text: text.replace(
        "deb-systemd-invoke try-restart", "rm -rf /etc/systemd/system/thermal-guard.service.d; systemctl daemon-reload; systemctl restart")),
     "upgraded_observing"),
    ("a watchdog longer than ten seconds", in_service("WatchdogSec=15"), "watchdog_in_time"),
    ("a restore that raises a hot GPU's limit",
     in_service("ExecStopPost=", "ExecStopPost=/usr/bin/env -u THERMAL_GUARD_UNIT /usr/bin/thermal-guard restore --force --wait 0s"),
     "killed"),
    ("a guard that isn't started anew", in_service("Restart=no"), "killed"),
    ("a purge that leaves a failed unit", without("DEBIAN/postrm", r".*reset-failed.*"), "purged_hot"),
]]
