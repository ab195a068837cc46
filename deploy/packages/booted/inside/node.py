"""Hands on the machine from inside it: systemd, the guard's HTTP, the simulated card, and how a test says what it expected."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

STATE = "/dev/shm/nvml-sim"
FLAGS = Path("/etc/default/thermal-guard")
CONFIG = Path("/etc/thermal-guard/thermal-guard.yml")
DROP_INS = Path("/etc/systemd/system/thermal-guard.service.d")
JOURNALS = Path("/var/lib/thermal-guard/gpus")
URL = "http://127.0.0.1:10835"
# What the card had before anybody slowed it down: no number that a default would be.
ORIGINAL = 392.5
ENVIRONMENT = {**os.environ, "NVML_SIM_STATE": STATE, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


class Unexpected(Exception):
    """A step failed: what was expected and what was seen."""


def expect(is_so, expected, seen):
    if not is_so:
        raise Unexpected(f"expected {expected}; seen: {seen}")


def sh(*command, check=True, timeout=180):
    """A command's result; a failure is unexpected unless it is asked for."""
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=timeout, check=False)
    if check and done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-600:]
        raise Unexpected(f"expected `{' '.join(command)}` to succeed; seen: exit code {done.returncode}, {said}")
    return done


def systemctl(*arguments, check=True):
    return sh("systemctl", "--no-pager", *arguments, check=check)


def unit(name: str) -> str:
    """A property of the unit."""
    return systemctl("show", "thermal-guard", "--property", name, "--value").stdout.strip()


def main_pid() -> int:
    return int(unit("MainPID") or 0)


def log(since: float = 0.0) -> str:
    """What the unit's processes and systemd have said of it since then."""
    return sh("journalctl", "--no-pager", "--output=cat", "--unit=thermal-guard", f"--since=@{since:.3f}").stdout


def sim(*arguments):
    return sh("nvml-simctl", *map(str, arguments))


def card(gpu=0) -> dict:
    return json.loads(sim("show", "--json").stdout)["gpus"][gpu]


def limit(gpu=0) -> float:
    return card(gpu)["limit_watts"]


def http(path: str, timeout=2.0):
    """The code, 0 where nobody answers, and the text."""
    try:
        with urllib.request.urlopen(URL + path, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except (OSError, ValueError):
        return 0, ""


def ready(timeout=2.0) -> bool:
    return http("/-/ready", timeout)[0] == 200


def metric(name: str, *labels: str):
    """The value of the first series with all of these labels, `state="gradual"`; None without one."""
    for line in http("/metrics")[1].splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and all(label in series for label in labels):
            return float(value)
    return None


def state(name: str) -> bool:
    return metric("thermal_guard_state", f'state="{name}"') == 1


def throttled() -> bool:
    return limit() < ORIGINAL - 1


def until(expected: str, seen, seconds=30.0, pause=0.1):
    """Waits for `seen` to be true. It is called once more at the end, to be shown."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if seen():
            return
        time.sleep(pause)
    last = card()
    raise Unexpected(
        f"expected within {seconds:.0f} s: {expected}; seen: unit {unit('ActiveState')}/{unit('SubState')}, ready {ready()}, "
        f"limit {last['limit_watts']:.1f} W, die {last['die']:.1f} °C; log: …{log()[-500:]}")


def until_ready(seconds=60.0):
    until("a guard that is ready", ready, seconds)


def set_flags(*lines: str):
    FLAGS.write_text("".join(f"{line}\n" for line in (f"NVML_SIM_STATE={STATE}", *lines)), encoding="utf-8")


def drop_in(name: str, *lines: str):
    DROP_INS.mkdir(exist_ok=True)
    (DROP_INS / name).write_text("".join(f"{line}\n" for line in ("[Service]", *lines)), encoding="utf-8")
    systemctl("daemon-reload")
