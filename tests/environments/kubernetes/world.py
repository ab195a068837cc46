"""The cluster as a test sees it: the release, its guard, the card beneath, and the scenes that steps begin with."""

import json
import os
import re
import shutil
import threading
import time
from pathlib import Path

from monitoring import Monitoring
from node import Node, address, http, is_ready
from steps import Unexpected, expect, sh, until

RELEASE = NAMESPACE = "thermal-guard"
CHART = Path("deploy/helm/thermal-guard")
HOST = Path("/run/nvml-sim")
STATE, LOCKS = Path("/var/lib/thermal-guard"), Path("/run/thermal-guard")
# What the card had before anybody slowed it down: no number that a default would be.
ORIGINAL = 392.5
DRIVER = "/run/nvidia/driver"
POD_SECURITY = "pod-security.kubernetes.io/enforce"
OPERATOR = ["podMonitor.enabled=true", "prometheusRule.enabled=true", "prometheusAccess.enabled=true"]
# More than the lowest limit can hold: the alert stays, and nothing is to be raised.
BEYOND = ("load=1", "inlet=68", "airflow=1.6")
HOT = ("load=1", "inlet=38", "airflow=1.6")


class World:
    def __init__(self, node: Node, monitoring: Monitoring, simctl: Path):
        self.node, self.monitoring, self.simctl = node, monitoring, simctl
        self.chart = CHART
        self.installed: tuple | None = None

    # The card.

    def sim(self, *arguments):
        return sh(self.simctl, *arguments, environment={**os.environ, "NVML_SIM_STATE": str(HOST / "state")})

    def card(self) -> dict:
        return json.loads(self.sim("show", "--json").stdout)["gpus"][0]

    def limit(self) -> float:
        return self.card()["limit_watts"]

    def heat(self, how=HOT, die=77.5):
        """Load in a hot room, with the die just there."""
        self.sim("set", *how)
        for _ in range(200):
            if self.card()["die"] >= die:
                return
            self.sim("advance", 2)

    def cool(self):
        """At the pace of the real world: a guard doubts a sensor that falls faster than metal cools."""
        self.sim("set", "load=0", "inlet=10", "airflow=0.5")

    # The release.

    def helm(self, command: str, *arguments, release=RELEASE, namespace=NAMESPACE, check=True, wait="90s"):
        return self.node.helm(command, release, *arguments, "--namespace", namespace, "--wait", f"--timeout={wait}", check=check)

    def upgrade(self, *values: str, check=True, release=RELEASE, namespace=NAMESPACE, wait="90s"):
        options = [f"--set={value}" for value in values]
        return self.helm("upgrade", self.chart, "--install", *options, release=release, namespace=namespace, check=check, wait=wait)

    def namespace(self, level: str, name=NAMESPACE):
        self.node.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {POD_SECURITY: level}}}))

    def nothing(self):
        """No release, no trace of one, and a card that nobody has touched."""
        self.helm("uninstall", "--ignore-not-found")
        self.node.kubectl("delete", "daemonset", "--all", "-n", NAMESPACE, "--wait", check=False)
        until("no pod", lambda: not self.node.get("pods", "-n", NAMESPACE)["items"], 90)
        for place in (STATE, LOCKS):
            shutil.rmtree(place, ignore_errors=True)
        self.sim("create", "--gpu", "a100-80gb")
        self.sim("limit", ORIGINAL)
        self.installed = None

    def running(self, mode="actuating", *values: str):
        """A guard of that mode and those values; the one that is there, as it is, if it is one of those."""
        wanted = (self.chart, mode, values)
        if self.installed == wanted and self.ready():
            return
        self.namespace("restricted" if mode == "read-only" else "privileged")
        self.nothing()
        self.upgrade(f"mode={mode}", *OPERATOR, *values)
        self.installed = wanted

    def throttling(self, how=HOT):
        self.running()
        self.heat(how)
        until("a limit under the original on a hot card", lambda: self.limit() < ORIGINAL - 1, 60, told=self.said)
        if how == BEYOND:
            until("the lowest limit, in a room that is too hot", lambda: self.limit() <= 101, 90, told=self.said)
            self.sim("advance", 60)

    # The guard.

    def pods(self) -> list[dict]:
        return self.node.pods(NAMESPACE, "app.kubernetes.io/name=thermal-guard")

    def pod(self) -> dict:
        pods = self.pods()
        if len(pods) != 1:
            raise Unexpected(f"expected one pod; seen: {len(pods)}")
        return pods[0]

    def ready(self) -> bool:
        pods = self.pods()
        return len(pods) == 1 and is_ready(pods[0])

    def until_ready(self):
        until("one pod that is ready", self.ready, 90, told=self.said)

    def exec(self, *command, check=True):
        return self.node.kubectl("exec", "-n", NAMESPACE, self.pod()["metadata"]["name"], "--", "thermal-guard", *command, check=check)

    def metric(self, name: str, *labels: str):
        """The value of the first series with all of these labels; None without one."""
        for line in http(f"http://{address(self.pod())}:10835/metrics").splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(label in series for label in labels):
                return float(value)
        return None

    def leases(self) -> list[float | None]:
        """How many alerts hold the card at each level; None where the guard says nothing."""
        return [self.metric("thermal_guard_leases", f'level="{level}"') for level in ("gradual", "emergency")]

    def leased(self) -> bool:
        return any(self.leases())

    def last_pull(self) -> float:
        """When the guard last got an answer from Alertmanager; 0 for never."""
        return self.metric("thermal_guard_alertmanager_pull_last_success_timestamp_seconds") or 0

    def chain(self) -> str:
        text = http(f"http://{address(self.pod())}:10835/metrics")
        found = re.search(r'^thermal_guard_chain_state{.*state="(\w+)".*} 1$', text, re.MULTILINE)
        return found[1] if found else "none"

    def until_chain(self, state="ok", seconds=180):
        until(f"chain {state}", lambda: self.chain() == state, seconds, told=lambda: f"chain {self.chain()}; {self.said()}")

    def said(self) -> str:
        """Pods, events and the guards' logs, at their ends."""
        events = self.node.kubectl("get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp", check=False).stdout.splitlines()[-6:]
        pods = self.node.kubectl("get", "pods", "-n", NAMESPACE, "-o", "wide", check=False).stdout.splitlines()
        logs = self.node.kubectl("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=thermal-guard", "--tail=25", check=False).stdout.splitlines()
        card = self.card()
        return "\n".join([f"limit {card['limit_watts']:.1f} W, die {card['die']:.1f} °C", *pods, *events, *logs])


class Watch:
    """The card's limit and what Alertmanager has, sampled until the block ends."""

    def __init__(self, world: World, alerts=False):
        self.world, self.limits, self.alerts = world, [], []
        self._over = threading.Event()
        looks = [(self.limits, world.limit, 0.2)] + ([(self.alerts, world.monitoring.firing, 1.0)] if alerts else [])
        self._threads = [threading.Thread(target=self._look, args=look) for look in looks]

    def _look(self, samples: list, look, pause: float):
        while not self._over.is_set():
            try:
                samples.append(look())
            except (Unexpected, OSError, ValueError, KeyError):
                # A gap in the samples says no less.
                pass
            time.sleep(pause)

    def __enter__(self):
        self.before = self.world.limit()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def nothing_raised(self):
        expect(max(self.limits) <= self.before + 1, f"at most {self.before:.1f} W all the time", f"{max(self.limits):.1f} W")
