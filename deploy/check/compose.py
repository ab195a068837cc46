"""The compose project hangs together: what is mounted exists, who is called is there, rules and dashboards are found."""

import os
import re
import sys

import yaml

import routes

HERE = "deploy/compose"


def load(name):
    with open(f"{HERE}/{name}", encoding="utf-8") as file:
        return yaml.safe_load(file)


def need(condition, what):
    if not condition:
        sys.exit(f"{HERE}: {what}")


services = load("compose.yaml")["services"]
mounts = {}
for name, service in services.items():
    for volume in service["volumes"]:
        source, place, *_ = volume.split(":")
        mounts[name, place] = source
        if source.startswith("."):
            need(os.path.exists(f"{HERE}/{source}"), f"{name} mounts {source}, which doesn't exist")


def mounted(name, path):
    """The file or folder of this tree behind a service's path."""
    for (service, place), source in mounts.items():
        if service == name and (path == place or path.startswith(f"{place}/")):
            return os.path.normpath(f"{HERE}/{source}/{path[len(place):]}")
    return sys.exit(f"{HERE}: nothing is mounted at {path} of {name}")


def reached(address):
    host = re.sub(r"^https?://|:\d+$", "", address)
    need(host in services, f"no service is called {host}")


reached(load("guard.yml")["alertmanager"]["url"])
prometheus = load("prometheus.yml")
for rules in prometheus["rule_files"]:
    need(os.path.isfile(mounted("prometheus", f"/etc/prometheus/{rules}")), f"{rules} doesn't exist")
with open(mounted("prometheus", f"/etc/prometheus/{prometheus['rule_files'][0]}"), encoding="utf-8") as file:
    wrong = routes.misrouted(f"{HERE}/alertmanager.yml", yaml.safe_load(file))
need(not wrong, f"alertmanager.yml: {wrong}")
groups = [*prometheus["alerting"]["alertmanagers"], *prometheus["scrape_configs"]]
for target in (target for group in groups for static in group["static_configs"] for target in static["targets"]):
    reached(target)
for source in load("grafana/datasources.yaml")["datasources"]:
    reached(source["url"])
for provider in load("grafana/dashboards.yaml")["providers"]:
    folder = mounted("grafana", provider["options"]["path"])
    need(any(name.endswith(".json") for name in os.listdir(folder)), f"no dashboard in {folder}")

# The heartbeat is known by the name under which the guard is scraped.
guard = services["guard"]
need(f"{guard['hostname']}:10835" in str(prometheus["scrape_configs"]), "the guard is scraped under another name than its own")
need(guard["cap_drop"] == ["ALL"] and guard["cap_add"] == ["SYS_ADMIN"] and guard["read_only"], "the guard has more rights than it needs")
