"""Programs that run for a step: a guard over the simulated library, Prometheus or VictoriaMetrics, Alertmanager; on free ports,
and ended with the step."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from steps import expect, sh, until

built = Path()


def free_ports(count: int) -> list[int]:
    """All are held until the last is found, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def http(url: str, accept="*/*") -> tuple[str, str]:
    """The text and its type; nothing where nobody answers well."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=5) as answer:
            return answer.read().decode(), answer.headers.get("Content-Type", "")
    except (OSError, urllib.error.HTTPError):
        return "", ""


class Running:
    """What runs, and its folder."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack):
        self.folder, self.stack = folder, stack
        self.state = {**os.environ, "NVML_SIM_STATE": str(folder / "sim")}

    def start(self, name: str, program: Path, *arguments, ready: str):
        log = self.stack.enter_context((self.folder / f"{name}.log").open("w"))
        process = subprocess.Popen([program, *map(str, arguments)], stdout=log, stderr=log, cwd=self.folder, env=self.state)
        self.stack.callback(end, process)
        until(f"a {name} that is ready", lambda: http(ready)[0] != "" or process.poll() is not None, 40, told=lambda: self.said(name))
        expect(process.poll() is None, f"a {name} that runs", self.said(name))

    def sim(self, *arguments):
        return sh(built / "nvml-simctl", *arguments, environment=self.state)

    def guard(self, settings: str, *arguments):
        """A card and its guard, five times faster than real."""
        self.sim("create", "--gpu", "a100-80gb", "--time-scale", "5")
        [port] = free_ports(1)
        self.url, self.address = f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"
        (self.folder / "guard.yml").write_text(settings, encoding="utf-8")
        self.start("guard", built / "thermal-guard", "serve", "--nvml.library", built / "libnvidia_ml.so", "--state.dir", self.folder / "state",
                   "--lock.dir", self.folder / "locks", "--config.file", self.folder / "guard.yml", "--debug.time-scale=5",
                   "--web.listen-address", self.address, *arguments, ready=f"{self.url}/-/ready")

    def metric(self, name: str, *labels: str):
        for line in http(f"{self.url}/metrics")[0].splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(label in series for label in labels):
                return float(value)
        return None

    def limit(self) -> float:
        return json.loads(self.sim("show", "--json").stdout)["gpus"][0]["limit_watts"]

    def said(self, name="guard") -> str:
        log = self.folder / f"{name}.log"
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]) if log.exists() else "no log"


def end(process: subprocess.Popen):
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running():
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        yield Running(Path(folder), stack)


def query(url: str, expression: str) -> list[dict]:
    said, _ = http(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    return json.loads(said)["data"]["result"] if said else []
