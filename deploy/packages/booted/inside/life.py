"""The package's life: installed, looked at, started, upgraded, removed, purged."""

import json
import re
import time
from pathlib import Path

import scene
from node import (CONFIG, DROP_INS, JOURNALS, ORIGINAL, card, expect, limit, main_pid, metric, sh, state, systemctl,
                  throttled, unit, until, until_ready)
from steps import step
from watch import Watch

DOCS = Path("/usr/share/doc/thermal-guard")
NOW, NEXT = "/t/now.deb", "/t/next.deb"


def install(deb=NOW):
    return sh("apt-get", "install", "--yes", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confold", deb)


@step("where contrib and non-free are enabled, apt would install this package alone", fast=True)
def alone():
    expect("libnvidia-ml1" in sh("apt-cache", "pkgnames", "libnvidia-ml1").stdout, "lists of packages with NVIDIA's", "none")
    said = sh("apt-get", "install", "--simulate", "-o", "APT::Install-Recommends=true", NOW).stdout
    brought = re.findall(r"^Inst (\S+)", said, re.MULTILINE)
    expect(brought == ["thermal-guard"], "one package", brought)


@step("apt installs it, offline, neither enabled nor started, with all that a node needs", fast=True)
def installed():
    install()
    expect(unit("ActiveState") == "inactive", "an inactive unit", unit("ActiveState"))
    enabled = systemctl("is-enabled", "thermal-guard", check=False).stdout.strip()
    expect(enabled == "disabled", "a disabled unit", enabled)
    files = [
        "README.md", "README.zh-CN.md", "docs/runbook.md", "docs/troubleshooting.md", "examples/observe.conf",
        "examples/gradio/thermal_mode.py", "examples/gradio/thermal-guard.yml", "examples/alerts/thermal-guard.rules.yml"]
    missing = [name for name in files if not list(DOCS.glob(f"{name}*"))]
    expect(not missing, f"documents and examples in {DOCS}", f"without {missing}")
    for script in ("thermal-guard-health", "thermal-guard-slurm-health", "thermal-guard-slurm-prolog"):
        path = Path("/usr/libexec/thermal-guard", script)
        expect(path.exists() and path.stat().st_mode & 0o111, f"{path}, executable", path.exists())
    expect("apps:" in (DOCS / "examples/gradio/thermal-guard.yml").read_text(encoding="utf-8"), "an example of apps", "none")
    # What the steps begin with, since some edit it.
    sh("cp", str(CONFIG), "/t/package.yml")


@step("systemd finds nothing to complain about in the installed unit")
def verified():
    said = sh("systemd-analyze", "verify", "thermal-guard.service", check=False)
    about = [line for line in (said.stdout + said.stderr).splitlines() if "thermal-guard" in line and "Command 'man" not in line]
    expect(not about, "no complaint", about)


@step("check passes on the unedited configuration", fast=True)
def checked():
    scene.nothing()
    done = sh("thermal-guard", "check", f"--config.file={CONFIG}", check=False)
    expect(done.returncode == 0 and re.search(r"^ok\s+driver", done.stdout, re.MULTILINE), "exit code 0 and `ok driver`", f"{done.returncode}: {done.stdout}")


@step("the unit starts as it is, and guards", fast=True)
def started():
    scene.nothing()
    systemctl("enable", "--now", "thermal-guard")
    until_ready()
    until("a GPU that is seen and normal", lambda: state("normal"))
    expect(metric("thermal_guard_nvml_up") == 1, "thermal_guard_nvml_up 1", metric("thermal_guard_nvml_up"))
    expect(unit("NRestarts") == "0", "a first start that lasts", f"{unit('NRestarts')} restarts")
    expect(limit() == ORIGINAL and card()["limit_writes"] == 0, "nothing written to a cool card", f"{limit()} W, {card()['limit_writes']} writes")


@step("heat is throttled, and what was before is on disk first", fast=True)
def heat():
    scene.hot()
    journals = list(JOURNALS.glob("*.json"))
    expect(len(journals) == 1, "one journal", journals)
    said = json.loads(journals[0].read_text(encoding="utf-8"))["limit"]["original_milliwatts"]
    expect(said == ORIGINAL * 1000, f"{ORIGINAL} W in the journal", said)
    expect(state("gradual") or state("emergency"), "a throttled state", "another")


@step("an upgrade in mid-throttle raises nothing, keeps edits, and the new guard goes on", fast=True)
def upgraded():
    scene.hot()
    CONFIG.write_text(CONFIG.read_text(encoding="utf-8") + "poll_interval: 900ms   # edited\n", encoding="utf-8")
    before = main_pid()
    with Watch() as watch:
        install(NEXT)
        until("another guard, ready", lambda: main_pid() not in (0, before), 90)
        until_ready()
        time.sleep(3)
    expect("# edited" in CONFIG.read_text(encoding="utf-8"), "the edited configuration", "another")
    expect(not watch.given_back(), "a limit that stays under the original", f"{watch.highest_limit()} W")
    until("a throttle that goes on", lambda: state("gradual") or state("emergency"), 10)
    began_anew = metric("thermal_guard_throttle_events_total", 'trigger="local"', 'level="gradual"')
    expect(began_anew == 0, "the throttle of the guard before", f"{began_anew} new ones")


@step("an upgrade starts nothing that was stopped, and doesn't get around observe.conf", fast=True)
def upgraded_observing():
    scene.nothing()
    scene.heated()
    install(NOW)
    time.sleep(1)
    expect(main_pid() == 0 and limit() == ORIGINAL, "a guard that stays stopped", f"pid {main_pid()}, {limit()} W")
    DROP_INS.mkdir(exist_ok=True)
    sh("cp", str(DOCS / "examples/observe.conf"), str(DROP_INS))
    systemctl("daemon-reload")
    scene.start()
    install(NEXT)
    until_ready()
    until("a hot GPU that is seen", lambda: state("gradual") or state("emergency"))
    time.sleep(3)
    expect(metric("thermal_guard_mode", 'mode="observe"') == 1, "a guard that observes", "another mode")
    expect(card()["limit_writes"] == 0 and limit() == ORIGINAL, "nothing written", f"{card()['limit_writes']} writes, {limit()} W")


@step("a stop of a hot GPU leaves it capped and says so; once it is cool, a stop gives back exactly what it had")
def stopped():
    scene.hot()
    systemctl("stop", "thermal-guard", check=False)
    expect(throttled() and list(JOURNALS.glob("*.json")), "a capped GPU with its journal", f"{limit()} W")
    scene.relieved()
    scene.start()
    until("a recovery, or the cap of one", lambda: state("recovering") or state("normal") or state("gradual"))
    systemctl("stop", "thermal-guard")
    expect(limit() == ORIGINAL, f"{ORIGINAL} W", f"{limit()} W")
    expect(unit("ActiveState") == "inactive", "a unit that is down, not failed", unit("ActiveState"))
    expect(not list(JOURNALS.glob("*.json")), "no journal", list(JOURNALS.glob("*.json")))


@step("removed after a kill -9: the limit is exactly what it was, settings and state stay", fast=True)
def removed():
    scene.hot()
    # Whoever gives back: the next guard, what runs after a stop, or the package.
    sh("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "thermal-guard")
    scene.relieved()
    sh("apt-get", "remove", "--yes", "thermal-guard")
    expect(limit() == ORIGINAL, f"{ORIGINAL} W", f"{limit()} W")
    expect(CONFIG.exists() and Path("/var/lib/thermal-guard").exists(), "settings and state", "gone")
    expect("thermal-guard" not in systemctl("--failed", "--all").stdout, "no failed unit", systemctl("--failed").stdout)


@step("purged while hot: no failed unit, no settings; the capped GPU is told of, with what it had", fast=True)
def purged_hot():
    install()
    scene.hot()
    before = time.monotonic()
    done = sh("apt-get", "purge", "--yes", "thermal-guard")
    took = time.monotonic() - before
    said = done.stdout + done.stderr
    expect(throttled(), "a hot GPU that stays capped", f"{limit()} W")
    uuid = card()["uuid"]
    expect(f"nvidia-smi --id={uuid} --power-limit={ORIGINAL:.3f}" in said, f"how to give {uuid} back {ORIGINAL} W", said[-600:])
    expect(list(JOURNALS.glob("*.json")), "the record of what it had", "none")
    expect(not CONFIG.exists() and not Path("/var/lib/thermal-guard/hook-token").exists(), "no settings, no token", "still there")
    expect("thermal-guard" not in systemctl("--failed", "--all").stdout, "no failed unit", systemctl("--failed", "--all").stdout)
    expect(took < 45, "a purge that waits for the GPU once", f"{took:.0f} s")
    # The record serves the next installation.
    scene.relieved()
    install()
    sh("thermal-guard", "restore")
    expect(limit() == ORIGINAL, f"{ORIGINAL} W after `restore`", f"{limit()} W")


@step("purged while cool: nothing is left", fast=True)
def purged():
    sh("apt-get", "purge", "--yes", "thermal-guard")
    places = ["/var/lib/thermal-guard", "/etc/thermal-guard", "/etc/default/thermal-guard", "/run/thermal-guard"]
    left = [place for place in places if Path(place).exists()]
    expect(not left, "nothing", left)
    expect("thermal-guard" not in systemctl("--failed", "--all").stdout, "no failed unit", systemctl("--failed", "--all").stdout)
