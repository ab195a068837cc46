#!/usr/bin/env python3
"""The scripts of deploy/slurm, run by Slurm's own daemons of Debian 12, and by the newest that Debian has, in containers of one
node over the simulated NVML library. Each step is judged by what slurmctld says of the node.

From the repository's root, as root, after `cargo build --workspace`:
    run.py                 every step on each Slurm, then the faults that must be found
    run.py --steps a,b     these steps, by their functions' names; --faults: the faults alone, or those for one step
    run.py --only sid      that Debian's Slurm alone
Exit code 0: all passed, 1: something failed, 77: this machine can't run it, and why.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

import alone
import image
import steps
import cluster as c  # noqa: I001
import health
import jobs

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target")).absolute()
STORE = TARGET / "environments/podman"
NEEDED = {"podman": "podman", "crun": "crun", "mmdebstrap": "mmdebstrap", "unshare": "util-linux", "dpkg-deb": "dpkg", "strip": "binutils"}
PACKAGES = "--include=slurmctld,slurmd,slurm-client,munge,bsdutils,curl,iproute2,procps"
# What each is made by, and the times of slurm.conf that keep its steps short. The program's own bound is tried apart from them.
DEBIANS = {
    "bookworm": (["--variant=minbase", PACKAGES, "bookworm"], "HealthCheckInterval=10"),
    # Its Release file may be out of date on a mirror, and its packages want a merged /usr from the start.
    "sid": (["--variant=minbase", PACKAGES, '--aptopt=Acquire::Check-Valid-Until "false"',
             "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "sid"], "HealthCheckInterval=10 HealthCheckTimeout=9"),
}


def edit(script: str, pattern: str, replacement: str):
    """A fault that changes nothing is none."""
    def plant(cluster: c.Cluster):
        before = cluster.original[script]
        after = re.sub(pattern, replacement, before, flags=re.MULTILINE)
        if after == before:
            raise ValueError(f"the fault changes nothing in {script}: {pattern}")
        cluster.write(script, after)
    return plant


THERMAL_GUARD_HEALTH = f"{c.SCRIPTS}/thermal-guard-health"
DRAINS = 'scontrol update NodeName="$node" State=DRAIN Reason=hot\nlog() {'
FAULTS = [
    steps.Fault("a health check that drains", edit(c.HEALTH, r"^log\(\) \{", DRAINS), "blind"),
    steps.Fault("a health check that drains for a dead guard only", edit(c.HEALTH, r"^log\(\) \{", '[ "${comment#*answer}" = "$comment" ] || ' + DRAINS), "dead"),
    steps.Fault("a health check that calls a throttle a problem", edit(THERMAL_GUARD_HEALTH, r"\{ hot = hot .*$", '{ bad("is hot") }'), "throttled"),
    steps.Fault("a health check that overwrites an administrator's comment", edit(c.HEALTH, r'^"" \| "thermal-guard: "\*\)$', "[!?]* | '')"), "administrator"),
    steps.Fault("a health check that gives up for a comment that is there", edit(c.HEALTH, "withheld: ", ""), "administrator"),
    steps.Fault("a health check that waits for a hung guard", edit(THERMAL_GUARD_HEALTH, " --max-time 5", ""), "hung"),
    steps.Fault("a health check that hangs", edit(c.HEALTH, "^set -eu$", "sleep 300"), "dead"),
    steps.Fault("a health check that waits for a hung slurmctld", edit(c.HEALTH, "timeout 20 scontrol", "timeout 200 sleep 100; scontrol"), "controller"),
    steps.Fault("a health check that knows no folder but the usual ones", edit(c.HEALTH, "^export PATH$", ""), "elsewhere"),
    steps.Fault("a health check that takes a forgotten comment for none", edit(c.HEALTH, "known=unknown", "known="), "reboot"),
    steps.Fault("a head with a key that Slurm doesn't have", edit(c.HEALTH, "HealthCheckInterval=", "HealthCheckIntervall="), "quiet_recipe"),
    steps.Fault("a prolog that doesn't wait", edit(c.PROLOG, r"^gpus=.*$", "gpus="), "warm"),
    steps.Fault("a prolog that takes no other times", edit(c.PROLOG, r"\$\{GPU_WAIT_TIMEOUT:-5m\}", "5m"), "own_times"),
    steps.Fault("a prolog that fails", edit(c.PROLOG, r"^exit 0$", "exit 1"), "unknown"),
]
# Of what older ones take.
NEWEST = [
    steps.Fault("a head whose interval isn't longer than the time for it", edit(c.HEALTH, "HealthCheckInterval=.*", "HealthCheckInterval=60"), "quiet_recipe"),
]


def planting(cluster: c.Cluster):
    @contextlib.contextmanager
    def planted(fault: steps.Fault):
        try:
            fault.plant(cluster)
            yield
        finally:
            for script, text in cluster.original.items():
                cluster.write(script, text)
    return planted


def bench(folder: Path) -> Path:
    """What goes into the containers."""
    image.package.of_program(TARGET / "debug/thermal-guard", folder / "now.deb")
    for name in ("libnvidia_ml.so", "nvml-simctl"):
        image.package.stripped(TARGET / "debug" / name, folder / name)
    return folder


def on(cluster: c.Cluster, asked, faults: list[steps.Fault]) -> int:
    """How many steps failed, and faults weren't found."""
    health.it = jobs.it = cluster
    failed = 0
    if asked.faults is None:
        chosen = [one for one in steps.STEPS if not asked.steps or one.run.__name__ in asked.steps.split(",")]
        failed += steps.run(chosen, cluster.said)
    if not asked.steps:
        failed += steps.look_for([one for one in faults if not asked.faults or asked.faults == one.step], planting(cluster))
    return failed


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", metavar="NAME,…")
    options.add_argument("--faults", nargs="?", const="", metavar="STEP")
    options.add_argument("--only", choices=DEBIANS)
    asked = options.parse_args()
    # So that who is ended takes its container along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, failed, missing = time.monotonic(), 0, []
    try:
        alone.wanted(NEEDED)
        podman = image.Podman(STORE)
    except alone.Unable as unable:
        print(f"skipped: the scripts under Slurm: {unable}")
        return alone.SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        things = bench(Path(folder))
        for name in [asked.only] if asked.only else DEBIANS:
            made_by, fast = DEBIANS[name]
            try:
                debian = image.base(podman, f"slurm-{name}", made_by)
            except image.Unable as unable:
                missing.append(name)
                print(f"skipped: Slurm of {name}: {unable}", flush=True)
                continue
            cluster = c.Cluster(podman, name, debian, things, fast)
            try:
                failed += on(cluster, asked, FAULTS if name == "bookworm" else NEWEST)
            finally:
                cluster.discard()
    print(f"{'all passed' if failed == 0 else f'{failed} failed'} after {time.monotonic() - began:.0f} s{f', without {missing}' if missing else ''}")
    return 1 if failed else alone.SKIPPED if len(missing) == len(DEBIANS) else 0


if __name__ == "__main__":
    sys.exit(main())
