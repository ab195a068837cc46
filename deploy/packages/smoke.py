#!/usr/bin/env python3
"""The program over GPUs that it simulates itself: `simulate` holds a card as it does elsewhere, and `serve --simulate` throttles
for heat and for an alert at its hook, and gives back.

    deploy/packages/smoke.py ROOT       the program is installed in that root; as root
"""

import datetime
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))
from exposition import Exposition

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
COOL = "1"
"""The simulated GPU that stays cool by itself; 0 gets hot."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Guard:
    def __init__(self, root):
        self.root, port = root, free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(root / "tmp/smoke.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            ["chroot", root, "thermal-guard", "serve", "--simulate", f"--web.listen-address=127.0.0.1:{port}", "--debug.time-scale=5"],
            stdout=self.log, stderr=self.log, env=ENVIRONMENT)

    def metrics(self):
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            return Exposition(answer.read().decode())

    def alert(self, status, uuid):
        """As Alertmanager tells it."""
        started = datetime.datetime.now(datetime.timezone.utc)
        alert = {
            "status": status, "labels": {"alertname": "Smoke", "guard_action": "gradual", "uuid": uuid}, "annotations": {},
            "startsAt": started.isoformat(), "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "febc53a2d4c8b45d",
        }
        body = {"version": "4", "status": status, "groupKey": "{}:{}", "truncatedAlerts": 0, "alerts": [alert]}
        token = (self.root / "tmp/thermal-guard-simulated-0/hook-token").read_text(encoding="utf-8").strip()
        request = urllib.request.Request(
            f"{self.url}/hook", json.dumps(body).encode(), {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status

    def until(self, what, holds, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if holds(self.metrics()):
                    print(f"ok    {what}")
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None:
                    break
            time.sleep(0.3)
        self.log.seek(0)
        sys.exit(f"FAIL  never: {what}\n" + "".join(self.log.readlines()[-20:]))

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


def state(exposition, gpu):
    return exposition.active("state", "state", gpu=gpu)


def simulate(root):
    """Half a degree over alert and 0.95 of the bound are what the governor keeps on any card and machine."""
    command = ["chroot", root, "thermal-guard", "simulate", "hot-inlet", "--profile=gb10,a100-80gb", "--policy=governor", "--json"]
    runs = json.loads(subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT).stdout)["runs"]
    for run in runs:
        if run["throughput_of_bound"] < 0.95 or run["overshoot_celsius"] > 1.5 or not run["restored"]:
            sys.exit(f"FAIL  simulate: {run}")
    if len(runs) != 2:
        sys.exit(f"FAIL  simulate: {len(runs)} runs")
    print("ok    simulate: " + ", ".join(f"{run['profile']} {run['throughput_of_bound']:.3f} of the bound" for run in runs))


def serve(root):
    guard = Guard(root)
    try:
        guard.until("serve --simulate is scraped", lambda it: state(it, COOL) == "normal")
        guard.until("heat is throttled", lambda it: it.value("throttle_events_total", gpu="0", trigger="local"))
        before = guard.metrics()
        limit = before.value("gpu_power_limit_watts", gpu=COOL)
        uuid = next(labels["uuid"] for name, labels, _ in before.samples if name == "thermal_guard_state" and labels["gpu"] == COOL)
        if guard.alert("firing", uuid) != 200:
            sys.exit("FAIL  the hook refuses an alert")
        guard.until("an alert at the hook throttles a cool GPU",
                    lambda it: state(it, COOL) == "gradual" and it.value("gpu_power_limit_watts", gpu=COOL) < limit)
        guard.alert("resolved", uuid)
        guard.until(f"resolved, it gets its {limit:.0f} W back",
                    lambda it: state(it, COOL) == "normal" and it.value("gpu_power_limit_watts", gpu=COOL) == limit)
        if guard.stop() != 0:
            sys.exit(f"FAIL  it ends with {guard.process.returncode}")
    finally:
        guard.process.kill()


if __name__ == "__main__":
    simulate(Path(sys.argv[1]))
    serve(Path(sys.argv[1]))
