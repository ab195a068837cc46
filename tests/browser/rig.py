"""A guard over simulated GPUs, and a browser that looks at it: what the browser proofs share.

Nothing here asserts. A proof makes a `Machine`, starts a `Guard` on it, opens a `Tab`, and asks.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("BINARIES", ROOT / "target" / "debug"))

sys.path.insert(0, str(ROOT / "deploy" / "demo"))
from exposition import Exposition  # noqa: E402
from processes import Machine, Program, fetch, free_ports  # noqa: E402,F401

# No request but those of the page, and no sandbox where the tests run as root in a container.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

# The page's own script can't see what the policy refused; this one, put in by the browser, can.
WATCH_POLICY = """
    window.refused = [];
    document.addEventListener("securitypolicyviolation",
        (event) => window.refused.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


def eventually(condition, seconds=10, rest=time.sleep):
    """What the condition says as soon as that is true; its last word when time is up."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > end:
            return found
        rest(0.02)


def machine(directory, *cards, **conditions):
    """Simulated GPUs: `machine(directory, "a100-80gb", load=1, inlet=40)`."""
    made = Machine(directory, BINARIES)
    scale = conditions.pop("time_scale", 1)
    profiles = [word for card in cards for word in ("--gpu", card)]
    made.control("create", *profiles, "--time-scale", scale)
    if conditions:
        made.control("set", *(f"{name}={value}" for name, value in conditions.items()))
    return made


class Guard(Program):
    """`thermal-guard serve` on a port that it keeps over restarts."""

    def __init__(self, directory, gpus, *flags, config="{}\n", time_scale=1):
        self.state_dir = directory / "guard"
        self.state_dir.mkdir(exist_ok=True)
        config_file = directory / "thermal-guard.yml"
        config_file.write_text(config, encoding="utf-8")
        (port,) = free_ports(1)
        command = [
            BINARIES / "thermal-guard",
            "serve",
            f"--config.file={config_file}",
            f"--nvml.library={BINARIES / 'libnvidia_ml.so'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--state.dir={self.state_dir}",
            f"--lock.dir={self.state_dir}",
            f"--debug.time-scale={time_scale}",
            *flags,
        ]
        environment = {"NVML_SIM_STATE": str(gpus.state), "PATH": "/usr/bin:/bin"}
        super().__init__("thermal-guard", command, port, directory, environment)

    def kill(self):
        """As a crash does: nothing is given back, no connection is closed in order."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def status(self):
        return json.loads(fetch(f"{self.url}/api/v1/status"))

    def metrics(self):
        return Exposition(fetch(f"{self.url}/metrics"))

    def post(self, path, body=None):
        """An actuating request, with the token that the guard made for itself."""
        token = (self.state_dir / "hook-token").read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.read().decode()

    def client(self, *arguments):
        """A client command of the same binary, as an operator would type it."""
        command = [BINARIES / "thermal-guard", *map(str, arguments)]
        where = [f"--url={self.url}", f"--state.dir={self.state_dir}"]
        return subprocess.run([*command, *where], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def chromium():
    """A headless browser; closed with everything that was opened in it."""
    program = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if program is None:
        raise FileNotFoundError(f"none of {', '.join(CHROMIUM_NAMES)}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A page in a context of its own, with notes of what it asked for and what went wrong.

    Options are those of Playwright's `new_context`: `color_scheme`, `viewport`,
    `java_script_enabled`, ...
    """

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.context.add_init_script(WATCH_POLICY)
        self.page = self.context.new_page()
        self.requests, self.errors, self.complaints = [], [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def open(self, url):
        self.page.goto(url, wait_until="domcontentloaded")
        return self.page

    def eventually(self, condition, seconds=10):
        """As above, and the browser's events come in meanwhile, which a plain sleep holds up."""
        return eventually(condition, seconds, lambda time: self.page.wait_for_timeout(time * 1000))

    def refused(self):
        """What the content security policy has refused."""
        return self.page.evaluate("window.refused")

    def elsewhere(self, url):
        """Requests that left the guard."""
        return [asked for asked in self.requests if not asked.startswith((url, "data:"))]
