"""Run by a virtual machine at each boot: what a container can't show, devices that are closed and a node that reboots in
mid-throttle. Each boot goes on where the one before left off."""

import json
import subprocess
import sys
import time
from pathlib import Path

import life
import scene
import steps
from node import JOURNALS, ORIGINAL, card, drop_in, expect, http, log, ready, sh, sim, state, systemctl, throttled, unit, until
from sandbox import REFUSED

LEFT = Path("/var/lib/booted.json")
PROBED = Path("/var/lib/thermal-guard/probe.json")
# An emulated machine is some twenty times slower.
PATIENCE = 120
NODES = {"/dev/of-nvidia": (195, 255), "/dev/of-another": (240, 0)}


def devices():
    """DeviceAllow=char-195: NVIDIA's pass (and there is no driver), all else is refused."""
    scene.nothing()
    for place, (major, minor) in NODES.items():
        sh("mknod", place, "c", str(major), str(minor), check=False)
    sh(sys.executable, "/t/inside/probe.py", "/t/beside.json", "devices")
    beside = json.loads(Path("/t/beside.json").read_text(encoding="utf-8"))
    drop_in("probe.conf", f"ExecStartPre={sys.executable} /t/inside/probe.py {PROBED} devices")
    systemctl("start", "thermal-guard")
    within = json.loads(PROBED.read_text(encoding="utf-8"))
    expect(within["NVIDIA's device"] == beside["NVIDIA's device"] == "ENXIO", "NVIDIA's device to be let through", within)
    for name in ("another device", "memory", "disk", "real time"):
        expect(within[name] in REFUSED, f"{name} to be refused", within)
        expect(beside[name] not in REFUSED, f"{name} to be possible beside the unit", beside)


def hot():
    """A hot GPU is capped, with a journal; then the node is rebooted."""
    scene.hot()
    sh("systemctl", "enable", "thermal-guard")
    until("a cap", throttled, PATIENCE)
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
    LEFT.write_text(json.dumps({"boot_id": boot_id, "limit": card()["limit_watts"]}), encoding="utf-8")


def without_driver():
    """The guard runs before the driver does: it answers, and isn't ready."""
    left = json.loads(LEFT.read_text(encoding="utf-8"))
    expect(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8") != left["boot_id"], "another boot", "the same")
    until("a guard that answers", lambda: http("/-/healthy")[0] == 200, PATIENCE)
    expect(not ready() and unit("ActiveState") in ("active", "activating"), "a guard that isn't ready", unit("ActiveState"))
    expect(list(JOURNALS.glob("*.json")), "the journal of the guard before", "none")


def with_driver():
    """The driver comes, with a card that the reboot has cleared."""
    sim("create", "--gpu", "a100-80gb")
    sim("limit", ORIGINAL)
    began = time.monotonic()
    until("a guard that is ready", ready, PATIENCE)
    print(f"measured: {time.monotonic() - began:.1f} s from the driver's coming to a guard that is ready (emulated)", flush=True)
    until("the old journal to be void", lambda: not list(JOURNALS.glob("*.json")), PATIENCE)
    seen = card()
    expect(seen["limit_watts"] == ORIGINAL and seen["limit_writes"] == 0, "a card that nobody wrote to", f"{seen['limit_watts']} W")
    until("a normal GPU", lambda: state("normal"), PATIENCE)
    sim("set", *scene.HEAT)
    until("a cap once it is hot", throttled, PATIENCE)


def in_time():
    """A reboot clears the GPU's limit by itself: nothing is gained by waiting for it to cool."""
    said = sh("journalctl", "--boot=-1", "--unit=thermal-guard", "--output=short-unix", "--no-pager").stdout.splitlines()
    stopping = [float(line.split()[0]) for line in said if "Stopping thermal-guard" in line]
    stopped = [float(line.split()[0]) for line in said if "Stopped thermal-guard" in line or "thermal-guard.service: Failed" in line]
    expect(stopping and stopped, "the stop in the log of the boot before", said[-5:])
    took = stopped[-1] - stopping[-1]
    print(f"measured: {took:.1f} s for the stop of a guard with a hot GPU at a reboot (emulated)", flush=True)
    expect(took < 10, "a stop within 10 s", f"{took:.1f} s")


BOOTS = [
    [("apt installs it", life.installed, None), ("DeviceAllow= and RestrictRealtime= hold", devices, None),
     ("a hot GPU is capped when the node is rebooted", hot, None)],
    [("after the reboot, before the driver, the guard answers and isn't ready", without_driver, None),
     ("the driver comes: the dead guard's journal is void, the card is left alone, then guarded", with_driver, None),
     ("the reboot didn't wait for the GPU", in_time, None)],
]

if __name__ == "__main__":
    second = LEFT.exists()
    print(f"boot {2 if second else 1}, systemd {sh('systemctl', '--version').stdout.split()[1]}", flush=True)
    chosen = [steps.Step(claim, run, False, pending) for claim, run, pending in BOOTS[second]]
    failed = steps.run(chosen)
    if failed or second:
        print(f"done, {failed} failed" if second or failed else "", flush=True)
        subprocess.run(["systemctl", "poweroff"], check=False)
    else:
        subprocess.run(["systemctl", "reboot"], check=False)
