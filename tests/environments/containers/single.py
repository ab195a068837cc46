"""Steps: the image by itself, run by the lines of docs/fleet.md."""

import json
import re
import time
from pathlib import Path

import engine as e
from steps import expect, step, until

it: e.Engine = None
FLEET = Path("docs/fleet.md")
# Faults: what is exchanged in a documented line.
exchanged: list[tuple[str, str]] = []


def line(end: str) -> str:
    """The `docker run` line of the documentation that ends so."""
    lines = [one for one in FLEET.read_text(encoding="utf-8").splitlines() if one.startswith("docker run ") and one.endswith(end)]
    expect(len(lines) == 1, f"one `docker run … {end}` in {FLEET}", lines)
    for old, new in exchanged:
        lines[0] = lines[0].replace(old, new)
    return lines[0]


def documented(end: str):
    it("run", "--detach", "--name=guard", *line(end).split()[2:])


def token() -> str:
    return (e.STATE / "hook-token").read_text(encoding="ascii").strip()


def actuating():
    it.nothing()
    documented("thermal-guard:0.1.0")
    it.until_ready()


@step("the engine builds the Containerfile on bases of its own, without a registry, and keeps HEALTHCHECK in docker's format")
def healthcheck_kept():
    config = json.loads(it("inspect", "--type=image", "localhost/thermal-guard:0.1.0").stdout)[0]
    expect(config["Healthcheck"]["Test"][0] == "CMD", "a health check", config.get("Healthcheck"))
    expect(config["User"] == "65532:65532", "user 65532", config["User"])


@step("built in OCI's format, which has no place for it, the image has no HEALTHCHECK, as the documentation says")
def healthcheck_dropped():
    config = json.loads(it("inspect", "--type=image", "localhost/thermal-guard:oci").stdout)[0]
    expect(not config.get("Healthcheck"), "none", config.get("Healthcheck"))
    expect("no `HEALTHCHECK`" in FLEET.read_text(encoding="utf-8"), "a word about it", "none")


@step("the documented read-only line: user 65532, no capability, no way to more, a file system that is read-only, scraped, nothing written")
def read_only():
    it.nothing()
    documented("serve --mode=observe")
    it.until_ready()
    expect(it.inside("Uid").split()[0] == "65532", "user 65532", it.inside("Uid"))
    rights = it.inside("CapEff"), it.inside("CapBnd"), it.inside("NoNewPrivs")
    expect(rights == ("0" * 16, "0" * 16, "1"), "no capability, none within reach, no new privileges", rights)
    it.heat()
    until("a decision to throttle", lambda: e.metric("thermal_guard_state", 'state="normal"') == 0, 30, told=it.said)
    expect(it.limit() == e.ORIGINAL and it.card()["limit_writes"] == 0, "nothing written", it.card())
    for command in (["status"], ["check"], ["report"]):
        said = it("exec", "guard", "/usr/bin/thermal-guard", *command, check=False)
        expect(said.returncode == 0, f"{command} by exec to succeed", said.stdout + said.stderr)


@step("the documented actuating line: SYS_ADMIN alone, throttles a hot card")
def acts():
    actuating()
    rights = it.inside("CapEff"), it.inside("NoNewPrivs")
    expect(rights == (f"{1 << 21:016x}", "1"), "SYS_ADMIN alone, no new privileges", rights)
    it.heat()
    it.until_throttled()


@step("the hook takes an alert with the token, and none without")
def hooked():
    actuating()
    alert = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "guard", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
             "externalURL": "http://alertmanager", "truncatedAlerts": 0,
             "alerts": [{"status": "firing", "labels": {"alertname": "Hot", "guard_action": "gradual", "instance": "gpu1.example:10835", "gpu": "0"},
                         "annotations": {}, "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "endsAt": "0001-01-01T00:00:00Z",
                         "generatorURL": "", "fingerprint": "1"}]}
    send = {"method": "POST", "data": json.dumps(alert).encode()}
    refused, _ = e.http("/hook", **send, headers={"Content-Type": "application/json"})
    expect(refused in (401, 403), "401 or 403 without the token", refused)
    taken, answer = e.http("/hook", **send, headers={"Content-Type": "application/json", "Authorization": f"Bearer {token()}"})
    expect(taken == 200, "200 with the token", f"{taken} {answer}")
    until("a lease", lambda: e.metric("thermal_guard_leases", 'level="gradual"'), 20, told=it.said)


@step("a second guard is refused, and says which lock the first holds, with a state directory of its own, too")
def second_refused():
    actuating()
    words = [word for word in line("thermal-guard:0.1.0").split()[2:] if word not in ("-p", "10835:10835")]
    second = it("run", "--rm", *words, check=False, timeout=45)
    said = second.stdout + second.stderr
    expect(second.returncode != 0 and "/var/lib/thermal-guard" in said, "a refusal with the state directory", f"{second.returncode}: {said[-400:]}")
    words = [word.replace("/var/lib/thermal-guard:", "of-the-second:") for word in words]
    second = it("run", "--rm", *words, check=False, timeout=45)
    said = second.stdout + second.stderr
    expect(second.returncode != 0 and "/run/thermal-guard" in said, "a refusal with the lock", f"{second.returncode}: {said[-400:]}")


@step("killed in mid-throttle and started: nothing is raised, the next goes on and gives back exactly what was")
def killed():
    actuating()
    it.heat()
    it.until_throttled()
    time.sleep(8)
    it.sim("set", "inlet=50")
    held = it.limit()
    it("kill", "--signal=KILL", "guard")
    time.sleep(1)
    expect(it.limit() <= held + 1, "no limit that was raised", f"{held} before, {it.limit()} after")
    it("start", "guard")
    it.until_ready()
    expect(it.limit() <= held + 1, "no limit that was raised", f"{held} before, {it.limit()} after")
    it.cool()
    until(f"{e.ORIGINAL} W on a card that is cool", lambda: it.limit() == e.ORIGINAL, 120, told=it.said)


@step("stopped while hot: within its 15 s, the card stays capped and journalled; `restore` by the image gives it back")
def stopped_hot():
    actuating()
    it.heat()
    it.until_throttled()
    began = time.monotonic()
    it("stop", "--time=30", "guard")
    took = time.monotonic() - began
    expect(took < 20, "a stop within 20 s", f"{took:.0f} s")
    expect(it.limit() < e.ORIGINAL - 1 and list(e.STATE.glob("gpus/*.json")), "a card that is capped and journalled", it.said())
    it.cool()
    it("rm", "guard")
    it("run", *line("restore --wait=30m").split()[2:])
    expect(it.limit() == e.ORIGINAL, f"{e.ORIGINAL} W", it.limit())


@step("the health check is well beside a guard, and not beside one that is stopped")
def health():
    actuating()
    well = it("healthcheck", "run", "guard", check=False)
    expect(well.returncode == 0, "a guard that is well", f"{well.returncode}: {well.stdout}{well.stderr}")
    pid = it("inspect", "--format={{.State.Pid}}", "guard").stdout.strip()
    it("kill", "--signal=STOP", "guard")
    try:
        until("a process that is stopped", lambda: re.search(r"^State:\s+T", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE), 10)
        ill = it("healthcheck", "run", "guard", check=False)
        expect(ill.returncode != 0, "a guard that isn't well", ill.stdout)
    finally:
        it("kill", "--signal=CONT", "guard")
