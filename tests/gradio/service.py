"""The example app as a program, and a client that never rests: what the Gradio proofs share."""

import os
import pathlib
import re
import sys
import threading

import numpy
from gradio_client import Client, handle_file
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRADIO = ROOT / "deploy" / "gradio"
sys.path[:0] = [str(GRADIO), str(ROOT / "tests" / "browser")]

from rig import Guard, Program, fetch, free_ports, machine  # noqa: E402

ENV_FILE = "# the clinic's own\nmodel=27b\nreduced_batch_size=4\n\nport=7860\n"
PATIENCE = 60
JOB = re.compile(r"\d+ images in batches of ([\d, ]+): ([\d.]+) s, mode \w+")


class App(Program):
    """`triage.py`, with an environment file that the guard is to change."""

    def __init__(self, directory, *flags):
        (self.port,) = free_ports(1)
        self.env_file = directory / "runtime_config.env"
        self.env_file.write_text(ENV_FILE, encoding="utf-8")
        command = [sys.executable, "-u", GRADIO / "triage.py", f"--port={self.port}",
                   f"--env-file={self.env_file}", *flags]
        environment = {**os.environ, "HOME": str(directory), "GRADIO_TEMP_DIR": str(directory)}
        super().__init__("triage", command, self.port, directory, environment)

    def is_ready(self):
        try:
            fetch(self.url)
        except OSError:
            return False
        return True


def snippet(app, *more):
    """The configuration as shipped, with this app's port and file, and faster than a clinic's."""
    text = (GRADIO / "thermal-guard.yml").read_text(encoding="utf-8")
    for shipped, here in (
        ("127.0.0.1:7860", f"127.0.0.1:{app.port}"),
        ("/srv/triage/runtime_config.env", str(app.env_file)),
        *more,
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    return text + "policy: { recovery_delay: 10s }\n"


def warm_machine(directory, time_scale):
    """A card that has worked for a quarter of an hour, and is fine."""
    gpus = machine(directory, "a100-80gb", load=1, airflow=0.85)
    gpus.control("advance", 900)
    gpus.control("time-scale", time_scale)
    return gpus


def xrays(directory, count=8):
    noise = numpy.random.default_rng(1)
    paths = [directory / f"x-ray-{n}.png" for n in range(count)]
    for path in paths:
        Image.fromarray(noise.integers(0, 255, (256, 256), dtype=numpy.uint8)).save(path)
    return paths


class Ward(threading.Thread):
    """Sends the same images again and again, and keeps what it got."""

    def __init__(self, url, paths):
        super().__init__(daemon=True)
        self.url, self.paths = url, paths
        self.answers, self.failures = [], []
        self.over = threading.Event()

    def run(self):
        client = Client(self.url, verbose=False)
        while not self.over.is_set():
            try:
                files = [handle_file(path) for path in self.paths]
                job = client.submit(files, api_name="/triage")
                order, note = job.result(timeout=PATIENCE)
                self.answers.append((order, note))
            except Exception as failure:  # Whatever it is, a doctor would have waited in vain.
                self.failures.append(repr(failure))

    def last(self):
        return self.answers[-1][1] if self.answers else ""

    def seconds(self, batches):
        """How long jobs of these batches took, by their own account."""
        found = (JOB.fullmatch(note) for _, note in self.answers)
        return [float(job[2]) for job in found if job[1] == batches]

    def finish(self):
        self.over.set()
        self.join(timeout=PATIENCE)
        return not self.is_alive()


__all__ = ["App", "ENV_FILE", "GRADIO", "Guard", "PATIENCE", "Ward", "fetch", "snippet",
           "warm_machine", "xrays"]
