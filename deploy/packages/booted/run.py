#!/usr/bin/env python3
"""The package on a booted system: a Debian root with systemd as PID 1, the .deb installed by apt, the simulated NVML library
beneath, and no edit of the unit. Each step is judged by the simulated card.

From the repository's root, as root, after `cargo build --workspace`:
    run.py                 every step, then the faults that must be found
    run.py --fast          the short half of the steps
    run.py --figures       measures what passes without a guard, at the pace of the real world
    run.py --deb X.deb     that package, instead of one made of the program that was built
    run.py --steps a,b     these steps, by their functions' names; --faults: the faults alone
Exit code 0: all passed, 1: something failed, 77: this machine can't run such a root, and why.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import package
from inside.faults import FAULTS
from pod import Machine, Podman, Unable

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
LIBRARY = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
SKIPPED = 77


def prepare(scratch: Path, deb: Path | None) -> Path:
    """A folder with everything that goes into each machine."""
    bench = scratch / "t"
    shutil.copytree(HERE / "inside", bench / "inside", ignore=shutil.ignore_patterns("__pycache__"))
    package.stripped(TARGET / "debug/libnvidia_ml.so", bench / "libnvidia_ml.so")
    package.stripped(TARGET / "debug/nvml-simctl", bench / "nvml-simctl")
    if deb:
        shutil.copyfile(deb, bench / "now.deb")
    else:
        package.of_program(TARGET / "debug/thermal-guard", bench / "now.deb")
    package.altered(bench / "now.deb", bench / "next.deb", version="99.0-1")
    return bench


def furnish(machine: Machine, bench: Path):
    """The driver, the hands on the card, and the packages; apt reads those as a user of its own."""
    machine.copy(bench, "/t")
    machine.output("sh", "-c", f"chmod -R a+rX /t && install /t/libnvidia_ml.so {LIBRARY} && install /t/nvml-simctl /usr/bin && ldconfig")


def inside(machine: Machine, *arguments) -> int:
    return machine.run("python3", "-B", "/t/inside/main.py", *arguments)


def steps(podman: Podman, bench: Path, names: list[str]) -> int:
    with Machine(podman, "steps") as machine:
        furnish(machine, bench)
        if names not in (["all"], ["fast"]):
            inside(machine, "prepare")
        return inside(machine, *names)


def faults(podman: Podman, scratch: Path, bench: Path, only: str) -> int:
    """How many were not found."""
    missed = 0
    for number, (fault, edit, name) in enumerate(FAULTS):
        if only and only not in (name, fault):
            continue
        began = time.monotonic()
        faulty = scratch / f"faulty-{number}"
        shutil.copytree(bench, faulty)
        package.altered(bench / "now.deb", faulty / "now.deb", edit=edit)
        package.altered(faulty / "now.deb", faulty / "next.deb", version="99.0-1")
        with Machine(podman, f"fault-{number}") as machine:
            furnish(machine, faulty)
            inside(machine, "prepare")
            said = machine.output("python3", "-B", "/t/inside/main.py", name)
        shutil.rmtree(faulty)
        took = f"({time.monotonic() - began:.0f} s)"
        last = next((line for line in said.stdout.splitlines() if line.startswith(("FAIL", "pending"))), said.stdout + said.stderr)
        if said.returncode != 0 and "FAIL" in last:
            print(f"found   {fault} {took}: {last[8:150]}", flush=True)
        elif last.startswith("pending"):
            print(f"pending {fault} {took}: its step can't tell yet", flush=True)
        else:
            missed += 1
            print(f"MISSED  {fault} {took}: {last[-400:]}", flush=True)
    return missed


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--fast", action="store_true")
    options.add_argument("--figures", nargs="?", const="", metavar="PART-OF-A-NAME")
    options.add_argument("--deb", type=Path)
    options.add_argument("--steps", metavar="NAME,…")
    options.add_argument("--faults", nargs="?", const="", metavar="STEP")
    asked = options.parse_args()
    began = time.monotonic()
    try:
        podman = Podman(TARGET / "booted")
        podman.image()
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            bench = prepare(scratch, asked.deb)
            if asked.figures is not None:
                with Machine(podman, "figures") as machine:
                    furnish(machine, bench)
                    inside(machine, "prepare")
                    failed = inside(machine, "figures", *filter(None, [asked.figures]))
            elif asked.faults is not None:
                failed = faults(podman, scratch, bench, asked.faults)
            else:
                names = asked.steps.split(",") if asked.steps else ["fast" if asked.fast else "all"]
                failed = steps(podman, bench, names)
                if names == ["all"]:
                    failed += faults(podman, scratch, bench, "")
    except Unable as unable:
        print(f"skipped: the package on a booted system: {unable}")
        return SKIPPED
    print(f"{'all passed' if failed == 0 else f'{failed} failed'} after {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
