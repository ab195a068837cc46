"""Guards over simulated GPUs, and the Prometheus that scrapes them: what the dashboards are tried on.

The programs are the ones of the demo; the guards are debug builds. Nothing here is specific to a
dashboard. What a guard is to show (heat, a lease, a fault) is done to it from outside, as it would
happen on a node.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
sys.path.insert(0, str(ROOT / "deploy" / "demo"))
from processes import Program, fetch, free_ports  # noqa: E402  (after the path is known)

HEARTBEAT_SECONDS = 2


def alert(name, action, **labels):
    """Alertmanager's webhook body with one firing alert."""
    now = time.time()
    return {
        "version": "4",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": name, "guard_action": action, **labels},
                "annotations": {"eval_ts": f"{now:.3f}"},
                "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": f"{zlib.crc32(repr((name, labels)).encode()):016x}",
            }
        ],
    }


class Node:
    """A machine with simulated GPUs and a guard on it. `instance` is the name Prometheus gives it."""

    def __init__(self, directory, instance, cards, time_scale, hook):
        self.directory = directory / instance.replace(":", "-")
        self.directory.mkdir()
        self.sim = self.directory / "sim.state"
        (self.port,) = free_ports(1)
        self.control("create", *(part for card in cards for part in ("--gpu", card)),
                     "--time-scale", time_scale, "--inlet", 22)
        self.guard = Program("guard", self.command(time_scale, hook), self.port, self.directory,
                             env={"NVML_SIM_STATE": str(self.sim), "PATH": "/usr/bin:/bin"})
        self.silenced = threading.Event()

    def command(self, time_scale, hook):
        config = self.directory / "thermal-guard.yml"
        app_env = self.directory / "app.env"
        app_env.write_text("batch_size=4\n", encoding="utf-8")
        config.write_text(
            f"hook: {hook}\n"
            # Learned from one heartbeat, it would be ten minutes.
            "alertmanager: { heartbeat_timeout: 15s }\n"
            "apps:\n"
            "  - name: inference\n"
            f"    env_file: {{ path: {app_env}, key: batch_size, normal: 4, gradual: 1, emergency: 1 }}\n",
            encoding="utf-8",
        )
        return [
            BUILT / "thermal-guard", "serve", f"--config.file={config}",
            f"--nvml.library={BUILT / 'libnvidia_ml.so'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--state.dir={self.directory}", f"--lock.dir={self.directory}",
            f"--debug.time-scale={time_scale}",
        ]

    def control(self, *arguments):
        """What happens to the machine: nvml-simctl."""
        command = [BUILT / "nvml-simctl", "--state", self.sim, *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True)

    def post(self, path, body):
        token = (self.directory / "hook-token").read_text(encoding="utf-8").strip()
        request = urllib.request.Request(
            f"{self.guard.url}{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=5).close()

    def hook(self, name, action, **labels):
        # The address it listens on: an alert that names another node is not obeyed.
        self.post("/hook", alert(name, action, instance=f"127.0.0.1:{self.port}", **labels))

    def lease(self, gpu, level, duration):
        self.post("/api/v1/leases", {"gpu": gpu, "level": level, "for": duration})

    def beat(self):
        """A heartbeat every two seconds from now on, until `silenced` is set (or the rig ends)."""
        self.silenced.clear()

        def run():
            while not self.silenced.wait(HEARTBEAT_SECONDS):
                with contextlib.suppress(OSError):  # a guard that is being stopped
                    self.hook("ThermalGuardHeartbeat", "heartbeat")

        threading.Thread(target=run, daemon=True).start()


class Rig:
    """Some nodes and one Prometheus. A context: what it started ends with it."""

    def __init__(self, directory, time_scale, nodes, scrape_interval="1s", hook="{}"):
        self.nodes = {
            instance: Node(directory, instance, cards, time_scale, hook)
            for instance, cards in nodes.items()
        }
        (port,) = free_ports(1)
        self.prometheus = Program(
            "prometheus",
            ["prometheus", f"--config.file={self.configuration(directory, scrape_interval)}",
             f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"],
            port,
            directory,
        )

    def configuration(self, directory, scrape_interval):
        # JSON is YAML. `instance` gives each guard the name it would have in a fleet, and `cluster` is there
        # where one Prometheus, or what is behind it, has several of them.
        targets = [
            {"targets": [f"127.0.0.1:{node.port}"], "labels": {"instance": instance, "cluster": "here"}}
            for instance, node in self.nodes.items()
        ]
        config = {
            "global": {"scrape_interval": scrape_interval, "scrape_timeout": scrape_interval},
            "scrape_configs": [{"job_name": "thermal-guard", "static_configs": targets}],
        }
        path = directory / "prometheus.yml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    def __enter__(self):
        # Without a handler nothing would be ended.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            for program in self.programs():
                program.start()
            self.wait_for_scrapes()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_for_scrapes(self):
        """Prometheus looks for its targets 5 s after its start; what happens before, it misses."""
        deadline = time.monotonic() + 30
        while self.value("sum(up)") != len(self.nodes):
            if time.monotonic() > deadline:
                raise TimeoutError("Prometheus does not scrape every guard")
            time.sleep(0.2)

    def __exit__(self, *_):
        self.stop()

    def programs(self):
        return [*(node.guard for node in self.nodes.values()), self.prometheus]

    def stop(self):
        for node in self.nodes.values():
            node.silenced.set()
        for program in self.programs():
            program.stop()

    def ask(self, path, **parameters):
        """Prometheus's API: (result, None), or (None, what it says is wrong)."""
        url = f"{self.prometheus.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            return json.loads(fetch(url))["data"], None
        except urllib.error.HTTPError as error:
            return None, json.loads(error.read())["error"]

    def value(self, expression):
        """The first sample of an instant query, or None."""
        data, error = self.ask("query", query=expression)
        if error:
            raise ValueError(f"{expression}: {error}")
        return float(data["result"][0]["value"][1]) if data["result"] else None
