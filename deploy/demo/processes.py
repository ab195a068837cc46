"""The programs of the demo: started on free loopback ports, in one directory, ended with it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "debug"
ALERTS = ROOT / "alerts"


class DemoFailed(Exception):
    """Something did not happen that the demo exists to show."""


def free_ports(count):
    """Ports nobody listens on: all are held before any is let go."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


def fetch(url):
    with urllib.request.urlopen(url, timeout=2) as response:
        return response.read().decode()


class Program:
    """A child process with a log file and a page that says when it is ready."""

    def __init__(self, name, command, port, directory, env=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / f"{name}.log"
        self.env = env
        self.process = None

    def start(self):
        with open(self.log, "a", encoding="utf-8") as log:
            # A session of its own: Ctrl-C reaches the demo, which ends its programs in order.
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=self.env, start_new_session=True
            )
        deadline = time.monotonic() + 20
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise DemoFailed(f"{self.name} does not start:\n{self.last_words()}")
            time.sleep(0.1)

    def is_ready(self):
        try:
            fetch(f"{self.url}/-/ready")
        except OSError:
            return False
        return True

    def stop(self):
        """Asks it to end, and waits. Harmless when it doesn't run."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        return "\n".join(self.log.read_text(encoding="utf-8").splitlines()[-10:])


class Machine:
    """The simulated GPUs: one file that the guard's NVML library and nvml-simctl share."""

    def __init__(self, directory, binaries=BUILT):
        self.state = directory / "nvml-sim.state"
        self.simctl = binaries / "nvml-simctl"

    def control(self, *arguments):
        command = [self.simctl, "--state", self.state, *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def gpus(self):
        """The truth, which sensors round."""
        return json.loads(self.control("show", "--json"))["gpus"]


def shipped(name, directory, replacements):
    """Copies one of the files in alerts/, with this machine's addresses in it."""
    text = (ALERTS / name).read_text(encoding="utf-8")
    for old, new in replacements.items():
        text = text.replace(old, new)
    (directory / name).write_text(text, encoding="utf-8")
    return directory / name


class Chain:
    """Guard, Prometheus and Alertmanager, as shipped but for their addresses."""

    def __init__(self, directory, machine, time_scale):
        guard_port, prometheus_port, alertmanager_port = free_ports(3)
        state = directory / "guard"
        state.mkdir()
        (directory / "thermal-guard.yml").write_text("{}  # all defaults\n", encoding="utf-8")
        self.guard = Program(
            "thermal-guard",
            [
                BUILT / "thermal-guard",
                "serve",
                f"--config.file={directory / 'thermal-guard.yml'}",
                f"--nvml.library={BUILT / 'libnvidia_ml.so'}",
                f"--web.listen-address=127.0.0.1:{guard_port}",
                f"--state.dir={state}",
                f"--lock.dir={state}",
                f"--debug.time-scale={time_scale}",
            ],
            guard_port,
            directory,
            env={"NVML_SIM_STATE": str(machine.state), "PATH": "/usr/bin:/bin"},
        )
        replacements = {
            "n1.example:10835": f"127.0.0.1:{guard_port}",
            "127.0.0.1:9093": f"127.0.0.1:{alertmanager_port}",
            # The guard writes this token at its first start.
            "/etc/alertmanager/thermal-guard.token": str(state / "hook-token"),
        }
        shipped("thermal-guard.rules.yml", directory, replacements)
        self.prometheus = Program(
            "prometheus",
            [
                "prometheus",
                f"--config.file={shipped('prometheus.yml', directory, replacements)}",
                f"--storage.tsdb.path={directory / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{prometheus_port}",
                "--rules.alert.resend-delay=1s",
            ],
            prometheus_port,
            directory,
        )
        self.alertmanager = Program(
            "alertmanager",
            [
                "prometheus-alertmanager",
                f"--config.file={shipped('alertmanager.yml', directory, replacements)}",
                f"--storage.path={directory / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{alertmanager_port}",
                "--cluster.listen-address=",
            ],
            alertmanager_port,
            directory,
        )

    def start(self):
        for program in (self.guard, self.alertmanager, self.prometheus):
            program.start()

    def stop(self):
        """The guard first: it gives back what it took."""
        for program in (self.guard, self.prometheus, self.alertmanager):
            program.stop()

    def firing(self):
        """Names of the alerts firing in Prometheus that would throttle GPU 0."""
        alerts = json.loads(fetch(f"{self.prometheus.url}/api/v1/alerts"))["data"]["alerts"]
        return sorted(
            alert["labels"]["alertname"]
            for alert in alerts
            if alert["state"] == "firing"
            and alert["labels"].get("guard_action") in ("gradual", "emergency")
            and alert["labels"].get("gpu") == "0"
        )
