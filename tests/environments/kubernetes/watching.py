"""Steps: Prometheus' operator with its defaults, from the scrape to the lease."""

import json
import time

import world as w
from node import NAME, is_ready
from steps import expect, step, until

it: w.World = None


def scraped_since(moment: float) -> dict | None:
    """The labels of the one target that is up, by a sample newer than that. Prometheus shows the series of a pool that it has
    dropped for five minutes more, and a new installation has the labels of the old one."""
    up = 'up{job="thermal-guard"}'
    found = it.monitoring.query(f"{up} and timestamp({up}) > {moment:.3f}")
    return found[0]["metric"] if len(found) == 1 and found[0]["value"][1] == "1" else None


def pools() -> list[str]:
    return [name for name in it.monitoring.ask("scrape_pools")["scrapePools"] if w.NAMESPACE in name]


def targets() -> str:
    active = it.monitoring.ask("targets").get("activeTargets", [])
    guards = [{"labels": one["labels"], "health": one["health"], "error": one["lastError"]} for one in active if "thermal-guard" in one["scrapePool"]]
    return f"targets {guards}; {it.node.kubectl('logs', '-n', 'monitoring', 'prometheus-k8s-0', '-c', 'prometheus', '--tail=4', check=False).stdout}"


@step("kube-prometheus scrapes the pods by the PodMonitor, as `job` thermal-guard and `instance` the node, without the pod's name")
def is_scraped():
    # Prometheus goes on watching what it once found, whatever has become of its rights: from the beginning.
    it.nothing()
    until("a Prometheus that has forgotten the last release", lambda: not pools(), 180, pause=1, told=pools)
    before = time.time()
    it.running()
    labels = until("one target that is up", lambda: scraped_since(before), 120, pause=1, told=targets)
    expect(labels["instance"] == NAME and not {"pod", "container"} & labels.keys(), f"instance {NAME}, no pod", labels)


@step("every rule of the chart is loaded and healthy")
def rules_healthy():
    it.running()
    until("rules", it.monitoring.rules, 120, pause=1, told=targets)
    until("rules that have run", lambda: all(rule["health"] == "ok" for rule in it.monitoring.rules()), 30, pause=1,
          told=lambda: [(rule["name"], rule["health"], rule.get("lastError")) for rule in it.monitoring.rules() if rule["health"] != "ok"])


@step("the chain is `ok` by pull, and stays so for three of the operator's resend delays")
def chain_stays_ok():
    it.running()
    it.until_chain()
    seen = set()
    end = time.monotonic() + 190
    while time.monotonic() < end:
        seen.add(it.chain())
        time.sleep(0.5)
    expect(seen == {"ok"}, "ok all the time", seen)


@step("a hot card's alert becomes a lease by pull")
def lease_by_pull():
    it.running()
    it.until_chain()
    it.heat(w.BEYOND, 79)
    until("a lease", it.leased, 60, told=lambda: f"{it.monitoring.firing()}; {it.said()}")


@step("one of the Alertmanagers dies and stays away under heat: the chain stays `ok`, the lease stays")
def alertmanager_dies():
    it.throttling(w.BEYOND)
    it.until_chain()
    until("a lease", it.leased, 60, told=it.said)
    it.node.kubectl("cordon", NAME)
    try:
        it.node.kubectl("delete", "pod", "-n", "monitoring", "alertmanager-main-0", "--grace-period=0", "--force")
        until("an Alertmanager less", lambda: sum(map(is_ready, it.monitoring.alertmanagers())) == 2, 30, told=lambda: "three")
        seen = set()
        end = time.monotonic() + 90
        while time.monotonic() < end:
            seen.add((it.chain(), it.leased(), time.time() - it.last_pull() < 30))
            time.sleep(0.5)
        expect(seen == {("ok", True, True)}, "chain ok, a lease and a fresh pull all the time", seen)
    finally:
        it.node.kubectl("uncordon", NAME)
        it.monitoring.until_ready()


@step("kube-prometheus-stack's selectors find PodMonitor and rules by the label `release`, and nothing without it")
def stack_labels():
    it.running("actuating", "podMonitor.labels.release=stack", "prometheusRule.labels.release=stack")
    until("the PodMonitor in the stack's configuration", lambda: f"podMonitor/{w.NAMESPACE}/{w.RELEASE}" in it.monitoring.configuration("stack"), 60, pause=1)
    until("the rules in the stack's files", lambda: "ThermalGuardHeartbeat" in it.monitoring.rule_files("stack"), 60, pause=1)
    it.running()
    until("no PodMonitor without the label", lambda: "podMonitor/" not in it.monitoring.configuration("stack"), 60, pause=1)


@step("an alert that fires keeps its identity while its pod is replaced: neither resolved nor fired anew")
def identity():
    it.throttling(w.BEYOND)
    until("a firing alert about the card", about_the_card, 60, told=lambda: it.monitoring.firing())
    before = about_the_card()
    with w.Watch(it, alerts=True) as watch:
        it.node.kubectl("delete", "pod", "-n", w.NAMESPACE, it.pod()["metadata"]["name"])
        it.until_ready()
        time.sleep(45)
    watch.nothing_raised()
    for sample in watch.alerts:
        now = about_the_card(sample)
        expect(before.items() <= now.items(), f"{before}", now)
    new = set(about_the_card(watch.alerts[-1])) - set(before)
    pods = [labels for labels in new if "pod" in json.loads(labels)]
    expect(not pods, "no alert that names a pod", pods)


def about_the_card(alerts: dict | None = None) -> dict[str, str]:
    """Those that hold as long as the card is past its alert trip: since when, by labels."""
    alerts = it.monitoring.firing() if alerts is None else alerts
    return {labels: since for labels, since in alerts.items() if json.loads(labels)["alertname"] == "ThermalGuardGpuPastAlertTrip"}
