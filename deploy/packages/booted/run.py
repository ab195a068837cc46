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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True

import package
from inside.faults import FAULTS, Fault
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


def look_for(fault: Fault, podman: Podman, scratch: Path, bench: Path) -> str:
    """Whether its step finds it, in a line."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=scratch) as folder, Machine(podman, "fault") as machine:
        faulty = Path(folder, "t")
        shutil.copytree(bench, faulty)
        package.altered(bench / "now.deb", faulty / "now.deb", edit=fault.edit)
        package.altered(faulty / "now.deb", faulty / "next.deb", version="99.0-1")
        furnish(machine, faulty)
        # Which may fail: that is up to the step.
        machine.output("python3", "-B", "/t/inside/main.py", "prepare")
        said = machine.output("python3", "-B", "/t/inside/main.py", fault.step)
    took = f"({time.monotonic() - began:.0f} s)"
    verdict = next((line for line in said.stdout.splitlines() if line.startswith(("FAIL", "pending"))), "")
    if verdict.startswith("FAIL"):
        return f"found   {fault.what} {took}: {verdict[8:160]}"
    if verdict:
        return f"pending {fault.what} {took}: its step can't tell yet"
    return f"MISSED  {fault.what} {took}: {(said.stdout + said.stderr)[-300:]}"


def faults(podman: Podman, scratch: Path, bench: Path, only: str = "") -> list[str]:
    return [look_for(fault, podman, scratch, bench) for fault in FAULTS if not only or only in (fault.step, fault.what)]


def told(lines: list[str]) -> int:
    """Prints them; how many faults were missed."""
    print("\n".join(lines), flush=True)
    return sum(line.startswith("MISSED") for line in lines)


def everything(podman: Podman, scratch: Path, bench: Path) -> int:
    """The faults beside the steps: both mostly wait."""
    with ThreadPoolExecutor(1) as beside:
        found = beside.submit(faults, podman, scratch, bench)
        failed = steps(podman, bench, ["all"])
        return failed + told(found.result())


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
        with Machine(podman, "first"):
            pass
    except Unable as unable:
        print(f"skipped: the package on a booted system: {unable}")
        return SKIPPED
    try:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            bench = prepare(scratch, asked.deb)
            if asked.figures is not None:
                with Machine(podman, "figures") as machine:
                    furnish(machine, bench)
                    inside(machine, "prepare")
                    failed = inside(machine, "figures", *filter(None, [asked.figures]))
            elif asked.faults is not None:
                failed = told(faults(podman, scratch, bench, asked.faults))
            elif asked.fast or asked.steps:
                failed = steps(podman, bench, asked.steps.split(",") if asked.steps else ["fast"])
            else:
                failed = everything(podman, scratch, bench)
    except Unable as unable:
        # Of a machine that has just booted one.
        print(f"FAIL    {unable}")
        return 1
    print(f"{'all passed' if failed == 0 else f'{failed} failed'} after {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
