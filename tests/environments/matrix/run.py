#!/usr/bin/env python3
"""Rules, their tests, configurations, /metrics and the whole chain with Prometheus and Alertmanager of several ages, and with
VictoriaMetrics. What differs between them is in docs/alerting.md.

From the repository's root, after `cargo build --workspace` and `kubernetes/build.sh prometheus alertmanager` beside this folder:
    run.py                 every step, then the faults that must be found
    run.py --steps a,b     these steps, by their functions' names; --faults: the faults alone, or those for one step
    run.py --list          the steps' names
Exit code 0: all passed, 1: something failed, 77: this machine can't run it, and why.
"""

import argparse
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

import alone
import steps
import live  # noqa: I001
import scrapes
import texts
import versions
import victoria

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target")).absolute()
FOLDER = TARGET / "environments/matrix"
BUILT = Path(os.environ.get("TOOLS", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "thermal-guard/kubernetes")) / "bin"
NEEDED = {"apt-get": "apt", "dpkg-deb": "dpkg", str(versions.KEYRING): "debian-archive-keyring", "cargo": "Rust",
          str(BUILT / "prometheus"): "Prometheus (tests/environments/kubernetes/build.sh)"}
DEBIANS = {"debian12": ("bookworm", "prometheus prometheus-alertmanager"),
           "debian13": ("trixie", "prometheus promtool prometheus-alertmanager victoria-metrics")}


def edit(path: str, *changes: tuple[str, str]):
    """In a copy of alerts/. A fault that changes nothing is none."""
    @contextlib.contextmanager
    def plant(_):
        copy = FOLDER / "faulty"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree("alerts", copy)
        text = (copy / path).read_text(encoding="utf-8")
        for old, new in changes:
            if old not in text:
                raise ValueError(f"the fault changes nothing in {path}: {old}")
            text = text.replace(old, new)
        (copy / path).write_text(text, encoding="utf-8")
        texts.alerts = copy
        try:
            yield
        finally:
            texts.alerts = Path("alerts")
    return plant


@contextlib.contextmanager
def spoiled(_):
    scrapes.spoil = lambda text: text + "# HELP guard_ticks Ticks.\n# TYPE guard_ticks counter\nguard_ticks 1\n"
    try:
        yield
    finally:
        scrapes.spoil = None


@contextlib.contextmanager
def elsewhere(pair: versions.Pair):
    """An Alertmanager that calls another path than it is told; one test of the chain is enough."""
    link = pair("alertmanager")
    program = link.readlink()
    link.unlink()
    link.write_text(f"""#!/bin/sh
for word; do case $word in --config.file=*) sed -i 's#/hook$#/elsewhere#' "${{word#*=}}" ;; esac; done
exec {program} "$@"
""", encoding="utf-8")
    link.chmod(0o755)
    texts.some = ["smoke::a_guard_on_generated"]
    try:
        yield
    finally:
        texts.some = []
        link.unlink()
        link.symlink_to(program)


RULES, DCGM_TEST, DRIVING_TEST = "thermal-guard.rules.yml", "tests/dcgm.test.yml", "tests/driving.test.yml"
RENAMED = "groups:\n  - name: renamed\n    rules:\n      - record: gpu:smooth:celsius\n        expr: holt_winters(thermal_guard_gpu_temperature_celsius[5m], 0.5, 0.5)\n"
ADDRESS = "http://n1.example:10835/", "http://{{ .GroupLabels.instance }}/"
# What the oldest takes, so that only a matrix finds it.
UNSEEN = [
    steps.Fault("a rule with a function that Prometheus 3 doesn't have", edit(RULES, ("groups:\n", RENAMED)), "rules_newest"),
    steps.Fault("a test that counts a sample on a range's left edge", edit(DCGM_TEST, ("[59s]", "[1m]"), ("value: 12}", "value: 13}")), "rules_newest"),
]
FAULTS = UNSEEN + [
    steps.Fault("a receiver that only Alertmanager 0.31 understands", edit("alertmanager.yml", ADDRESS), "configurations_debian12"),
    steps.Fault("a counter without the ending that promtool asks for", spoiled, "metrics_newest"),
    steps.Fault("an Alertmanager that calls another path", elsewhere, "chain_newest"),
    steps.Fault("a rule that vmalert can't read", edit(RULES, ("time()", "tme()")), "vmalert_takes"),
    steps.Fault("a test that vmalert's tool fails and that nobody named", edit(DRIVING_TEST, ("severity: critical", "severity: fatal")), "vmalert_tests"),
    steps.Fault("rules without a heartbeat", edit(RULES, ("guard_action: heartbeat", "guard_action: none")), "vmalert_chain"),
]


def planting(pairs: list[versions.Pair]):
    @contextlib.contextmanager
    def planted(fault: steps.Fault):
        with fault.plant(pairs[-1]):
            if fault in UNSEEN:
                [old] = [one for one in steps.STEPS if one.run.__name__ == fault.step.replace("newest", pairs[0].key)]
                old.run()
            yield
    return planted


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", metavar="NAME,…")
    options.add_argument("--faults", nargs="?", const="", metavar="STEP")
    options.add_argument("--list", action="store_true")
    asked = options.parse_args()
    began = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        alone.programs(NEEDED)
        pairs = [*(versions.of_debian(key, *where, FOLDER) for key, where in DEBIANS.items()), versions.newest(FOLDER, BUILT)]
    except alone.Unable as unable:
        print(f"skipped: Prometheus and Alertmanager of several ages: {unable}")
        return alone.SKIPPED
    texts.guard, live.built = TARGET / "debug/thermal-guard", TARGET / "debug"
    texts.add(pairs, FOLDER)
    scrapes.add(pairs)
    victoria.add(pairs[1], FOLDER)
    if asked.list:
        print("\n".join(f"{one.run.__name__}: {one.claim}" for one in steps.STEPS))
        return 0
    failed = 0
    if asked.faults is None:
        chosen = [one for one in steps.STEPS if not asked.steps or one.run.__name__ in asked.steps.split(",")]
        failed += steps.run(chosen, lambda: "")
    if not asked.steps:
        faults = [one for one in FAULTS if not asked.faults or asked.faults == one.step]
        failed += steps.look_for(faults, planting(pairs))
    print(f"{'all passed' if failed == 0 else f'{failed} failed'} after {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
