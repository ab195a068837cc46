"""Prometheus' operator in the cluster, with what kube-prometheus runs by it, and what they say over HTTP."""

import base64
import gzip
import json
import urllib.parse
from pathlib import Path

from node import Node, address, http, is_ready
from steps import until

SETTINGS = Path(__file__).resolve().parent / "settings"


class Monitoring:
    def __init__(self, node: Node, operator: Path):
        """`operator`: the sources of the operator's module, which hold its own manifests."""
        self.node, self.operator = node, operator

    def up(self):
        self.node.kubectl("create", "namespace", "monitoring")
        bundle = (self.operator / "bundle.yaml").read_text(encoding="utf-8")
        self.node.apply(bundle.replace("namespace: default", "namespace: monitoring"))
        self.node.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        self.node.apply((SETTINGS / "monitoring.yaml").read_text(encoding="utf-8"))
        self.until_ready()

    def until_ready(self):
        until("two Prometheus and three Alertmanagers that are ready", lambda: self._ready() == (2, 3), 180, pause=1,
              told=lambda: self.node.kubectl("get", "pods,events", "-n", "monitoring").stdout[-1500:])

    def _ready(self) -> tuple[int, int]:
        return tuple(sum(map(is_ready, pods)) for pods in (self.prometheuses(), self.alertmanagers()))

    def prometheuses(self) -> list[dict]:
        return self.node.pods("monitoring", "app.kubernetes.io/name=prometheus")

    def alertmanagers(self) -> list[dict]:
        return self.node.pods("monitoring", "app.kubernetes.io/name=alertmanager")

    def ask(self, path: str, **parameters):
        """The first Prometheus' answer."""
        [first] = [pod for pod in self.prometheuses() if pod["metadata"]["name"].endswith("k8s-0")]
        said = http(f"http://{address(first)}:9090/api/v1/{path}?{urllib.parse.urlencode(parameters)}", 5)
        return json.loads(said)["data"] if said else {}

    def query(self, expression: str) -> list[dict]:
        return self.ask("query", query=expression).get("result", [])

    def rules(self) -> list[dict]:
        """The guard's."""
        return [rule for group in self.ask("rules").get("groups", []) if "thermal-guard" in group["file"] for rule in group["rules"]]

    def firing(self) -> dict[str, str]:
        """The first Alertmanager's alerts: since when, by labels."""
        for pod in self.alertmanagers():
            said = http(f"http://{address(pod)}:9093/api/v2/alerts") if is_ready(pod) else ""
            if said:
                return {json.dumps(alert["labels"], sort_keys=True): alert["startsAt"] for alert in json.loads(said)}
        return {}

    def configuration(self, prometheus: str) -> str:
        """What the operator tells that Prometheus to scrape."""
        packed = self.node.get("secret", f"prometheus-{prometheus}", "-n", "monitoring")["data"]["prometheus.yaml.gz"]
        return gzip.decompress(base64.b64decode(packed)).decode()

    def rule_files(self, prometheus: str) -> str:
        maps = self.node.get("configmaps", "-n", "monitoring", "-l", f"prometheus-name={prometheus}")["items"]
        return json.dumps([one.get("data", {}) for one in maps])
