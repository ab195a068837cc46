"""What thermal-guard tells a Gradio app, shown and obeyed by it.

Adds three things to any app, in the five lines that README.md shows: `/api/thermal_mode`, by which
the guard says `normal` or `eco`; a status line that shows it; and the batch size that the guard
writes into an environment file. Needs nothing that Gradio doesn't bring. It never stops, kills or
refuses a job: what an app does in eco mode is the app's own affair.

Everything is in this process's memory: an app that is started anew shows `normal` until the guard
says otherwise. (The batch size, which is in the file, is right at once.)
"""

import hmac
import html
import ipaddress
import os
import stat
import threading
import time
from pathlib import Path

import gradio as gr
from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.routing import Route

PATH = "/api/thermal_mode"
STATUS = {"normal": "Normal", "eco": "Eco Mode (GPU throttled)"}
# What users read. An app in another language gives its own: `ThermalMode(labels={...})`.
LABELS = STATUS | {"line": "System thermal status: {mode} · batch size {size}"}
COLOUR = {"normal": "#15803d", "eco": "#ea580c"}

# A browser sends one of the first three with whatever a page elsewhere makes it post here, and a
# proxy one of the others. The guard sends none of them.
NOT_THE_GUARD = ("origin", "sec-fetch-site", "referer",
                 "forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
MAX_FILE_BYTES = 65536
# A file written to twice within its clock's step looks unchanged: one so young is read again.
SETTLED_SECONDS = 2


class BatchSize:
    """One variable of an environment file, read when the file has changed.

    What can't be read changes nothing: while the file is missing, half-written or nonsense, the
    last good number stays, and before there was one, `normal`.
    """

    def __init__(self, path, key="reduced_batch_size", normal=4, largest=1024):
        self.path, self.key, self.largest = Path(path), key, largest
        self._value, self._seen = normal, None
        self._lock = threading.Lock()

    def __call__(self):
        """The number in force. Costs one `stat` while nothing changes."""
        with self._lock:
            try:
                found = os.stat(self.path)
            except OSError:
                return self._value
            version = (found.st_ino, found.st_size, found.st_mtime_ns)
            settled = abs(time.time() - found.st_mtime) > SETTLED_SECONDS
            if stat.S_ISREG(found.st_mode) and (version != self._seen or not settled):
                self._seen = version
                self._value = self._read() or self._value
            return self._value

    def _read(self):
        """The last assignment that makes sense, as a shell would have it; None without one."""
        try:
            with open(self.path, "rb") as file:
                text = file.read(MAX_FILE_BYTES).decode("utf-8", "replace")
        except OSError:
            return None
        sizes = [self._size(line) for line in text.splitlines()]
        return next(filter(None, reversed(sizes)), None)

    def _size(self, line):
        name, _, value = line.strip().removeprefix("export ").partition("=")
        value = value.split("#")[0].strip().strip("'\"")
        good = name.strip() == self.key and value.isascii() and value.isdecimal() and len(value) < 9
        return int(value) if good and 1 <= int(value) <= self.largest else None


class Refusal(Exception):
    """An answer that isn't 200."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class ThermalMode:
    """The mode of one app.

    `env_file`: where the guard writes the batch size, if it does. `token_file`: then only who has
    the token in it may change the mode, from wherever; without, only a process on this machine.
    `labels`: what users read, by the keys of LABELS; those left out stay English.
    """

    def __init__(self, env_file=None, key="reduced_batch_size", normal=4, token_file=None,
                 labels=None):
        self.batch_size = BatchSize(env_file, key, normal) if env_file else lambda: normal
        self.token_file = token_file and Path(token_file)
        if self.token_file and not self._token():
            raise ValueError(f"{token_file}: no token in it")
        self._mode, self._since = "normal", time.time()
        self._lock = threading.Lock()
        self._labels = checked(labels or {})

    @property
    def mode(self):
        """`normal` or `eco`."""
        return self._mode

    def set(self, mode):
        """As if the guard had said it."""
        if mode not in STATUS:
            raise Refusal(422, f"mode is one of {', '.join(STATUS)}")
        with self._lock:
            if mode != self._mode:
                self._mode, self._since = mode, time.time()

    def routes(self):
        """For `demo.launch(app_kwargs={"routes": thermal.routes()})`; in a FastAPI app of your own,
        `app.router.routes[:0] = thermal.routes()`."""
        return [Route(PATH, self._answer, methods=["GET", "POST"])]

    def status_line(self, every=5):
        """Puts the line where it is called, within `gr.Blocks`; fresh every so many seconds."""
        line = gr.HTML(self._html, elem_id="thermal-status")
        # Past the queue: a job that runs for minutes must not hold up the line.
        gr.Timer(every).tick(self._html, outputs=line, queue=False, show_progress="hidden",
                             api_visibility="private")
        return line

    def _html(self):
        mode = self._mode
        said = html.escape(self._labels["line"]).format(
            mode=f"<b>{html.escape(self._labels[mode])}</b>", size=self.batch_size())
        return (f'<p role="status" style="border-left: 5px solid {COLOUR[mode]}; padding-left: 1ex">'
                f"{said}</p>")

    def _answer(self, request: Request):
        try:
            self._admit(request)
            if request.method == "POST":
                self.set(request.query_params.get("mode"))
        except Refusal as refusal:
            answer = {"status": "error", "message": str(refusal)}
            return JSONResponse(answer, status_code=refusal.code)
        return JSONResponse({
            "status": "ok",
            "mode": self._mode,
            "message": f"System thermal status: {STATUS[self._mode]}",
            "since": round(self._since, 3),
            "batch_size": self.batch_size(),
        })

    def _admit(self, request):
        token = self._token() if self.token_file else None
        said = request.headers.get("authorization", "")
        if token and hmac.compare_digest(said.encode(), f"Bearer {token}".encode()):
            return
        # A look from this machine needs no token: `thermal-guard check` has none.
        if self.token_file and request.method == "POST":
            raise Refusal(401, "a bearer token is needed")
        if not is_this_machine(request):
            raise Refusal(403, "only from this machine")

    def _token(self):
        """Read each time, so that it can be changed under a running app. None admits nobody."""
        try:
            with open(self.token_file, encoding="ascii") as file:
                return file.read(4096).strip() or None
        except (OSError, ValueError):
            return None


def checked(labels):
    """All labels, or an error at the start of the app, not in the middle of a page."""
    unknown = sorted(set(labels) - set(LABELS))
    if unknown:
        raise ValueError(f"labels: {', '.join(unknown)} isn't one of {', '.join(LABELS)}")
    labels = LABELS | labels
    if not all(isinstance(text, str) for text in labels.values()):
        raise ValueError("labels: each is a text")
    try:
        labels["line"].format(mode="", size=1)
    except (IndexError, KeyError, ValueError) as error:
        raise ValueError("labels: line has {mode} and {size}, and no other braces") from error
    return labels


def is_this_machine(request):
    """Whether a process on this machine asks, for itself.

    The address alone doesn't tell: a proxy, a share link's tunnel and any web page in a browser on
    this machine come from 127.0.0.1, too. Neither names it as the guard's configuration does.
    """
    if any(name in request.headers for name in NOT_THE_GUARD):
        return False
    named = request.url.hostname
    return is_loopback(request.client and request.client.host) and (
        named == "localhost" or is_loopback(named))


def is_loopback(address):
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
