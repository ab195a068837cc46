"""Steps: the compose project as it is, brought up with real Prometheus and Alertmanager. Grafana's image isn't to be had here."""

import json
import time
import urllib.parse
from pathlib import Path

import engine as e
from steps import expect, sh, step, until

it: e.Engine = None
compose: list[str] = []
SERVICES = ["guard", "prometheus", "alertmanager"]
PROMETHEUS, ALERTMANAGER = "http://127.0.0.1:9090", "http://127.0.0.1:9093"


def files(folder: Path) -> list[str]:
    """The project's file, and what puts the simulated library beneath."""
    return ["-f", str(folder / "compose.yaml")]


project = files(Path("deploy/compose"))


def up():
    it.nothing()
    sh(*compose, *project, "up", "--detach", *SERVICES, timeout=180)
    it.until_ready()


def down():
    sh(*compose, *project, "down", "--timeout=20", check=False, timeout=120)


def asked(path: str, **parameters) -> dict:
    code, text = e.http(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}", PROMETHEUS)
    return json.loads(text)["data"] if code == 200 else {}


def said() -> str:
    listed = it("ps", "--all", check=False).stdout
    logs = [it("logs", "--tail=4", name, check=False) for name in it("ps", "--all", "--format={{.Names}}", check=False).stdout.split()]
    lines = [line for line in e.http("/metrics")[1].splitlines() if line.startswith(("thermal_guard_heartbeat", "thermal_guard_chain"))]
    return listed + "\n".join(lines) + "".join(log.stdout + log.stderr for log in logs)


def chain(state: str) -> bool:
    return e.metric("thermal_guard_chain_state", f'state="{state}"') == 1


@step("the compose project comes up: scraped, every rule healthy, the chain ok by pull")
def comes_up():
    up()
    try:
        until("a guard that is scraped", lambda: [one["value"][1] for one in asked("query", query='up{job="thermal-guard"}').get("result", [])] == ["1"], 60, told=said)
        until("the chain", lambda: chain("ok"), 60, told=said)
        rules = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
        until("healthy rules", lambda: all(rule["health"] == "ok" for group in asked("rules")["groups"] for rule in group["rules"]), 30,
              told=lambda: [rule["name"] for rule in rules if rule["health"] != "ok"])
        expect(len(rules) > 20, "all rules", len(rules))
    finally:
        down()


@step("heat becomes an alert and a lease; Alertmanager stopped: the guard falls back, and is ok again when it is back")
def leases():
    up()
    try:
        until("the chain", lambda: chain("ok"), 60, told=said)
        it.heat()
        it.sim("set", "inlet=68")
        until("a lease", lambda: e.metric("thermal_guard_leases", 'level="gradual"') or e.metric("thermal_guard_leases", 'level="emergency"'), 120, told=said)
        until("a pace that is known", lambda: (e.metric("thermal_guard_heartbeat_timeout_seconds") or 600) < 60, 120, told=said)
        name = [one for one in it("ps", "--format={{.Names}}").stdout.split() if "alertmanager" in one][0]
        it("stop", name)
        until("a guard that falls back", lambda: not chain("ok"), 90, told=said)
        it("start", name)
        until("the chain again", lambda: chain("ok"), 90, told=said)
    finally:
        down()


@step("a new project in mid-throttle: nothing raised, the next guard goes on; down while hot: the card stays capped and journalled")
def recreated():
    up()
    try:
        it.heat()
        it.until_throttled()
        # From now on there is nothing to raise.
        it.sim("set", "inlet=60")
        time.sleep(5)
        held = it.limit()
        down()
        expect(it.limit() <= held and list(e.STATE.glob("gpus/*.json")), f"a card that is capped at {held} W or less, and journalled", it.limit())
        sh(*compose, *project, "up", "--detach", *SERVICES, timeout=180)
        it.until_ready()
        expect(it.limit() <= held, f"no limit over {held} W", it.limit())
        it.cool()
        until(f"{e.ORIGINAL} W on a card that is cool", lambda: it.limit() == e.ORIGINAL, 120, told=said)
    finally:
        down()
