"""What administrators do to the service: drop-ins, flags, files of applications."""

import os
import pwd
import pty
import time
from pathlib import Path

import scene
from life import DOCS
from node import (CONFIG, DROP_INS, FLAGS, ORIGINAL, STATE, card, expect, limit, log, main_pid, metric, set_flags, sh, state, systemctl,
                  throttled, unit, until, until_ready)
from steps import step

APP = Path("/srv/app")
APP_FILE = APP / "runtime_config.env"
APPS = f"apps:\n  - name: medgemma\n    env_file: {{ path: {APP_FILE}, key: reduced_batch_size, normal: 4, gradual: 2, emergency: 1 }}\n"


def application():
    """An application's folder that belongs to somebody else, and a guard that has to write there."""
    APP.mkdir(exist_ok=True)
    APP_FILE.write_text("# of the application\nreduced_batch_size=4\n", encoding="utf-8")
    APP_FILE.chmod(0o640)
    nobody = pwd.getpwnam("nobody")
    for path in (APP, APP_FILE):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    CONFIG.write_text(APPS, encoding="utf-8")


def edit(text: str):
    """As a person does it: `systemctl edit` wants a terminal and an editor."""
    editor = Path("/t/editor")
    editor.write_text(f"#!/bin/sh\nprintf '{text}' >\"$1\"\n", encoding="utf-8")
    editor.chmod(0o755)
    os.environ["SYSTEMD_EDITOR"] = str(editor)
    with open("/t/edit.log", "wb") as said:
        def read(terminal):
            data = os.read(terminal, 1024)
            said.write(data)
            return b""
        status = pty.spawn(["systemctl", "edit", "thermal-guard"], read, lambda _: b"")
    expect(status == 0, "`systemctl edit` to succeed", Path("/t/edit.log").read_text(encoding="utf-8"))


def emergency():
    sh("thermal-guard", "throttle", "--gpu", "0", "--level", "emergency", "--for", "1m")
    until("the minimum limit", lambda: limit() < 101)


@step("an application's file that the sandbox forbids is said, and the card is throttled all the same")
def forbidden_file():
    scene.nothing()
    application()
    scene.start()
    emergency()
    until("a line that names ReadWritePaths=", lambda: "ReadWritePaths=" in log(), 15)
    expect("reduced_batch_size=4" in APP_FILE.read_text(encoding="utf-8"), "the file as it was", APP_FILE.read_text(encoding="utf-8"))


@step("an application's file that the sandbox forbids is said at the start")
def forbidden_early():
    scene.nothing()
    application()
    began = time.time()
    scene.start()
    until("a line that names ReadWritePaths=", lambda: "ReadWritePaths=" in log(began), 5)


@step("systemctl edit with ReadWritePaths=: the file is written and given back, owner and mode kept")
def allowed_file():
    scene.nothing()
    application()
    edit(f"[Service]\\nReadWritePaths={APP}\\n")
    expect(str(APP) in unit("ReadWritePaths"), f"ReadWritePaths={APP}", unit("ReadWritePaths"))
    scene.start()
    emergency()
    until("the emergency value", lambda: "reduced_batch_size=1" in APP_FILE.read_text(encoding="utf-8"), 10)
    seen = APP_FILE.stat()
    expect((pwd.getpwuid(seen.st_uid).pw_name, seen.st_mode & 0o777) == ("nobody", 0o640), "nobody's, 0640", (seen.st_uid, oct(seen.st_mode)))
    sh("thermal-guard", "release", "--gpu", "0")
    systemctl("stop", "thermal-guard")
    expect("reduced_batch_size=4" in APP_FILE.read_text(encoding="utf-8"), "the normal value", APP_FILE.read_text(encoding="utf-8"))
    expect(limit() == ORIGINAL, f"{ORIGINAL} W", f"{limit()} W")


@step("observe.conf there and back: a hot card is watched, then protected")
def observed():
    scene.nothing()
    scene.heated()
    DROP_INS.mkdir(exist_ok=True)
    sh("cp", str(DOCS / "examples/observe.conf"), str(DROP_INS))
    systemctl("daemon-reload")
    scene.start()
    until("a hot GPU that is seen", lambda: state("gradual") or state("emergency"))
    time.sleep(3)
    expect(metric("thermal_guard_mode", 'mode="observe"') == 1, "a guard that observes", "another mode")
    expect(card()["limit_writes"] == 0, "nothing written", f"{card()['limit_writes']} writes")
    owner = os.stat(f"/proc/{main_pid()}").st_uid
    expect(owner != 0, "a user without rights", "root")
    (DROP_INS / "observe.conf").unlink()
    systemctl("daemon-reload")
    systemctl("restart", "thermal-guard")
    until_ready()
    until("a lowered limit", throttled)
    expect(metric("thermal_guard_mode", 'mode="enforce"') == 1, "a guard that enforces", "another mode")


@step("a flag in /etc/default/thermal-guard is heeded")
def flags():
    for text in ('ARGS="--mode=observe"', '  ARGS = --mode=observe', 'ARGS="--log.level=debug \\\n  --mode=observe"'):
        scene.nothing()
        scene.heated()
        set_flags(text)
        scene.start()
        time.sleep(2)
        expect(metric("thermal_guard_mode", 'mode="observe"') == 1, f"a guard that observes, by {text}", "another mode")
        expect(card()["limit_writes"] == 0, "nothing written", f"{card()['limit_writes']} writes")


@step("`export ARGS=`, which systemd skips, never enforces in silence: refused, with file, line and remedy")
def exported():
    for text in ('export ARGS="--mode=observe"', 'ARGS=""\nexport ARGS="--mode=observe"', "--mode=observe"):
        scene.nothing()
        scene.heated()
        set_flags(text)
        began = time.time()
        systemctl("start", "thermal-guard", check=False)
        until("a failed unit", lambda: unit("ActiveState") == "failed", 15)
        said = log(began)
        place = f"{FLAGS}:{2 + text.count(chr(10))}"
        expect(place in said and "systemd" in said, f"{place}, and that systemd skips it", said[-400:])
        expect(unit("ExecMainStatus") == "78", "exit code 78", unit("ExecMainStatus"))
        expect(card()["limit_writes"] == 0, "nothing written", f"{card()['limit_writes']} writes")
    set_flags('ARGS="--mode=observe"')
    scene.start()
    expect(metric("thermal_guard_mode", 'mode="observe"') == 1, "a guard that observes", "another mode")


@step("a skipped line that is no flag is a warning, and the guard guards")
def exported_other():
    scene.nothing()
    FLAGS.write_text(f"NVML_SIM_STATE={STATE}\nexport OTHER=1\nARGS=\"\"\n", encoding="utf-8")
    began = time.time()
    scene.start()
    until("a warning with file and line", lambda: f"{FLAGS}:2" in log(began), 10)
