"""Podman in the test's own world: containers with a network, the simulated card, and what the guard in one of them says."""

import json
import os
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from image import Podman, package
from steps import Unexpected, sh, until

HOST = Path("/run/nvml-sim")
STATE, LOCKS = Path("/var/lib/thermal-guard"), Path("/run/thermal-guard")
URL = "http://127.0.0.1:10835"
ORIGINAL = 392.5
HOT = ("load=1", "inlet=38", "airflow=1.6")
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4000:4000"]
[engine]
events_logger = "file"
runtime = "crun"
[engine.runtimes]
crun = ["{runtimes}/crun"]
nvidia = ["{runtimes}/nvidia-crun"]
"""


class Engine(Podman):
    """Podman as it is called from a shell: its settings by the environment, so that podman-compose has the same."""

    def __init__(self, folder: Path, world: Path, target: Path):
        super().__init__(folder)
        self.target, self.simctl = target, target / "debug/nvml-simctl"
        runtimes = world / "runtimes"
        runtimes.mkdir()
        for name in ("crun", "nvidia-crun"):
            (runtimes / name).symlink_to(Path(__file__).resolve().parent.parent / "runtime.py")
        self.settings = world / "containers.conf"
        self.settings.write_text(CONFIGURATION.format(runtimes=runtimes), encoding="utf-8")
        storage = world / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/store"\nrunroot = "/run/containers"\n', encoding="utf-8")
        # Its own names, so that the documented lines work as they are.
        names = world / "registries.conf"
        names.write_text('short-name-mode = "permissive"\nunqualified-search-registries = ["localhost"]\n', encoding="utf-8")
        os.environ.update(CONTAINERS_CONF=str(self.settings), CONTAINERS_STORAGE_CONF=str(storage), CONTAINERS_REGISTRIES_CONF=str(names))
        self.prefix = ["podman"]

    def furnish(self):
        """What a GPU node has: the driver's library and a card."""
        HOST.mkdir()
        package.stripped(self.target / "debug/libnvidia_ml.so", HOST / "libnvidia-ml.so.1")
        HOST.chmod(0o777)
        self.sim("create", "--gpu", "a100-80gb")
        (HOST / "state").chmod(0o666)

    def sim(self, *arguments):
        return sh(self.simctl, *arguments, environment={**os.environ, "NVML_SIM_STATE": str(HOST / "state")})

    def card(self) -> dict:
        return json.loads(self.sim("show", "--json").stdout)["gpus"][0]

    def limit(self) -> float:
        return self.card()["limit_watts"]

    def heat(self):
        self.sim("set", *HOT)
        for _ in range(200):
            if self.card()["die"] >= 77.5:
                return
            self.sim("advance", 2)

    def cool(self):
        """At the pace of the real world: a guard doubts a sensor that falls faster than metal cools."""
        self.sim("set", "load=0", "inlet=10", "airflow=0.5")

    def nothing(self):
        """No container, no trace of a guard, and a card that nobody has touched."""
        self("rm", "--all", "--force", "--time=0")
        self("volume", "rm", "--all", "--force")
        for place in (STATE, LOCKS):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700)
        self.sim("create", "--gpu", "a100-80gb")
        self.sim("limit", ORIGINAL)

    def inside(self, field: str) -> str:
        """Of the guard's process, as /proc/PID/status has it."""
        pid = self("inspect", "--format={{.State.Pid}}", "guard").stdout.strip()
        found = re.search(rf"^{field}:\s+(.*)$", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE)
        if not found:
            raise Unexpected(f"expected {field} of process {pid}; seen: nothing")
        return found[1]

    def until_ready(self):
        until("a guard that is ready", lambda: http("/-/ready")[0] == 200, 60, told=self.said)

    def until_throttled(self):
        until("a limit under the original on a hot card", lambda: self.limit() < ORIGINAL - 1, 60, told=self.said)

    def said(self) -> str:
        logs = self("logs", "--tail=8", "guard", check=False)
        listed = self("ps", "--all", check=False).stdout
        card = self.card()
        return f"limit {card['limit_watts']:.1f} W, die {card['die']:.1f} °C\n{listed}{logs.stdout}{logs.stderr}"


def http(path: str, url=URL, **request):
    """The code, 0 where nobody answers, and the text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, **request), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ValueError):
        return 0, ""


def metric(name: str, *labels: str):
    """The value of the first series with all of these labels; None without one."""
    for line in http("/metrics")[1].splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and all(label in series for label in labels):
            return float(value)
    return None
