#!/usr/bin/env python3
"""The chart on a real Kubernetes of one node, with Prometheus' operator as kube-prometheus sets it up and the simulated NVML
library beneath. Each step is judged by the simulated card, the API server, Prometheus and Alertmanager.

From the repository's root, as root, after `cargo build --workspace` and build.sh beside this file:
    run.py                 every step, then the faults that must be found
    run.py --steps a,b     these steps, by their functions' names; --faults: the faults alone, or those for one step
Exit code 0: all passed, 1: something failed, 77: this machine can't run it, and why.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

import alone
import image
import images
import steps
import installing  # noqa: I001
import watching
import lasting
import world as w
from faults import FAULTS
from monitoring import Monitoring
from node import Node

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target")).absolute()
TOOLS = Path(os.environ.get("TOOLS", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "thermal-guard/kubernetes"))
FOLDER = TARGET / "environments/kubernetes"
GUARD = TARGET / "environments/thermal-guard.tar"
NEEDED = {"runc": "runc", "/usr/lib/cni/ptp": "containernetworking-plugins", "iptables": "iptables", "ip": "iproute2", "openssl": "openssl",
          "unshare": "util-linux", "podman": "podman", "crun": "crun", "mmdebstrap": "mmdebstrap", "cc": "build-essential",
          str(TOOLS / "bin/kube-apiserver"): "Kubernetes (tests/environments/kubernetes/build.sh)"}


def make_image():
    """Outside of the world: podman has its own."""
    podman = image.Podman(TARGET / "environments/podman")
    name, _ = image.built(podman, TARGET / "debug/thermal-guard", "0.1.0", "--format=docker")
    image.saved(podman, name, GUARD)


def operator_sources() -> Path:
    said = subprocess.run(["go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus-operator/prometheus-operator"],
                          cwd=TOOLS / "operator", capture_output=True, text=True, check=True)
    return Path(said.stdout.strip())


def furnish_host():
    """What a GPU node has: the driver's library, for the runtime and as the GPU operator mounts it, and a card."""
    for folder in (w.HOST, Path(w.DRIVER, "usr/lib/x86_64-linux-gnu")):
        folder.mkdir(parents=True)
        image.package.stripped(TARGET / "debug/libnvidia_ml.so", folder / "libnvidia-ml.so.1")
    w.HOST.chmod(0o777)


def cluster() -> w.World:
    began = time.monotonic()
    furnish_host()
    node = Node(TOOLS / "bin", FOLDER)
    node.up()
    print(f"        a node that is Ready after {time.monotonic() - began:.0f} s", flush=True)
    images.load(node)
    node.ctr("images", "import", GUARD)
    for tag in ("0.1.0", "0.1.1"):
        node.ctr("images", "tag", "localhost/thermal-guard:0.1.0", f"docker.io/library/thermal-guard:{tag}")
    node.apply("apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: { name: nvidia }\nhandler: nvidia\n")
    monitoring = Monitoring(node, operator_sources())
    monitoring.up()
    print(f"        Prometheus and Alertmanager by their operator after {time.monotonic() - began:.0f} s", flush=True)
    world = w.World(node, monitoring, TARGET / "debug/nvml-simctl")
    world.sim("create", "--gpu", "a100-80gb")
    (w.HOST / "state").chmod(0o666)
    return world


def planting(world: w.World):
    @contextlib.contextmanager
    def planted(fault):
        copy = FOLDER / "faulty"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(w.CHART, copy)
        fault.plant(copy)
        world.chart, world.installed = copy, None
        try:
            yield
        finally:
            world.chart, world.installed = w.CHART, None
    return planted


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", metavar="NAME,…")
    options.add_argument("--faults", nargs="?", const="", metavar="STEP")
    asked = options.parse_args()
    began = time.monotonic()
    try:
        alone.wanted(NEEDED)
        if alone.MARK not in os.environ:
            make_image()
        alone.enter(FOLDER)
    except alone.Unable as unable:
        print(f"skipped: the chart on Kubernetes: {unable}")
        return alone.SKIPPED
    failed = 0
    try:
        world = cluster()
        for chapter in (installing, watching, lasting):
            chapter.it = world
        chosen = [one for one in steps.STEPS if not asked.steps or one.run.__name__ in asked.steps.split(",")]
        if asked.faults is None:
            failed += steps.run(chosen, world.said)
        if not asked.steps:
            failed += steps.look_for([one for one in FAULTS if not asked.faults or asked.faults == one.step], planting(world))
    except (steps.Unexpected, subprocess.SubprocessError) as unexpected:
        print(f"FAIL    the cluster: {unexpected}")
        failed += 1
    print(f"{'all passed' if failed == 0 else f'{failed} failed'} after {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
