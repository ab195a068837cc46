"""Charts with one fault each, and the steps that have to find it: a step that can't fail shows nothing."""

import re
from pathlib import Path

from steps import Fault


def edit(path: str, pattern: str, replacement: str):
    """A fault that changes nothing is none."""
    def plant(chart: Path):
        before = (chart / path).read_text(encoding="utf-8")
        after = re.sub(pattern, replacement, before, flags=re.MULTILINE)
        if after == before:
            raise ValueError(f"the fault changes nothing in {path}: {pattern}")
        (chart / path).write_text(after, encoding="utf-8")
    return plant


DAEMONSET, HELPERS = "templates/daemonset.yaml", "templates/_helpers.tpl"
CLEAN_START = """      initContainers:
        - name: clean
          {{- include "thermal-guard.image" . | nindent 10 }}
          args: [restore, --force]
          {{- include "thermal-guard.give-back" . | nindent 10 }}
      containers:"""
FAULTS = [
    Fault("read-only that may gain privileges", edit(DAEMONSET, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"), "read_only_restricted"),
    Fault("read-only that doesn't only watch", edit(DAEMONSET, r"^ +- --mode=observe$", ""), "read_only_watches"),
    Fault("a chart that installs what the namespace refuses", edit(DAEMONSET, r'^.*thermal-guard\.admitted.*$', ""), "actuating_refused"),
    Fault("actuating without its capability", edit(DAEMONSET, r", add: \[SYS_ADMIN\]", ""), "actuating_admitted"),
    Fault("notes that don't look at the nodes", edit("templates/NOTES.txt", "WARNING: none", "All"), "no_node_matches"),
    Fault("a lookup that can't be turned off", edit("templates/NOTES.txt", r" \.Values\.lookups", " true"), "tenant"),
    Fault("no mount of the driver's folder", edit(DAEMONSET, r"^ +- \{ name: driver, mountPath.*$", ""), "operator_driver"),
    Fault("rights for another Prometheus", edit("values.yaml", "serviceAccount: prometheus-k8s", "serviceAccount: prometheus"), "is_scraped"),
    Fault("another job than the rules ask for", edit("templates/podmonitor.yaml", "jobLabel: app.kubernetes.io/name", "jobLabel: app"), "is_scraped"),
    Fault("a guard that asks one Alertmanager only", edit("values.yaml", "alertmanager-operated.monitoring", "alertmanager-main-0.alertmanager-operated.monitoring"), "alertmanager_dies"),
    Fault("a PodMonitor without its labels", edit("templates/podmonitor.yaml", r"list \$ \.", "list $ dict"), "stack_labels"),
    Fault("an alert that changes with its pod", edit(HELPERS, r"regex: pod\|container", "regex: container"), "identity"),
    Fault("a journal that goes with its pod", edit(DAEMONSET, r"hostPath: \{ path: /var/lib/thermal-guard, type: DirectoryOrCreate \}", "emptyDir: {}"), "pod_deleted"),
    Fault("a pod that begins by giving back everything", edit(DAEMONSET, "^      containers:$", CLEAN_START), "pod_deleted"),
    Fault("a give-back that gives back at once", edit("templates/give-back.yaml", r"restore, --wait=30m", "restore, --force"), "uninstalled_hot"),
]
