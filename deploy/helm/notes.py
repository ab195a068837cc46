"""The notes after `helm install` are true, and their remedies work. `notes.py CHART`; wants helm.

Helm prints notes only beside a cluster's answers. So a copy of the chart has them as a template, and these values in place
of what a cluster would answer."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import yaml

CHART = sys.argv[1]
GPU_NODE = {"nvidia.com/gpu.present": "true", "kubernetes.io/os": "linux"}
LOOKUPS = {'lookup "v1" "Node" "" ""': "nodes", 'lookup "node.k8s.io/v1" "RuntimeClass" "" ""': "classes"}


def need(condition, what):
    if not condition:
        sys.exit(f"{CHART}: {what}")


def helm(*arguments):
    said = subprocess.run(["helm", "template", "gpu", *arguments, "--namespace", "gpus"], capture_output=True, text=True, check=False)
    need(said.returncode == 0, said.stderr)
    return said.stdout


def copied(folder):
    shutil.copytree(CHART, folder)
    templates = pathlib.Path(folder, "templates")
    text = (templates / "NOTES.txt").read_text(encoding="utf-8")
    for lookup, name in LOOKUPS.items():
        need(lookup in text, f"the notes don't look up {name}")
        text = text.replace(f"({lookup})", f"(default dict $.Values.global.{name})").replace(lookup, f"default dict $.Values.global.{name}")
    (templates / "NOTES.txt").unlink()
    (templates / "_notes.tpl").write_text('{{- define "notes" -}}' + text + "{{- end }}", encoding="utf-8")
    (templates / "notes.yaml").write_text('notes: {{ include "notes" . | toJson }}', encoding="utf-8")
    return folder


with tempfile.TemporaryDirectory() as scratch:
    chart = copied(f"{scratch}/chart")

    def notes(*values, nodes=None, classes=None):
        known = {"nodes": {"items": [{"metadata": {"labels": labels}} for labels in nodes]} if nodes else {},
                 "classes": {"items": [{"metadata": {"name": name}} for name in classes]} if classes is not None else {}}
        return yaml.safe_load(helm(chart, *values, f"--set-json=global={json.dumps(known)}", "--show-only=templates/notes.yaml"))["notes"]

    def remedy(text, flag):
        """The flags of the first line that begins with this one, as a shell reads them."""
        return shlex.split(next(line for line in text.splitlines() if line.strip().startswith(flag)))

    def pods(*values):
        [daemonset] = [each for each in yaml.safe_load_all(helm(CHART, *values, "--show-only=templates/daemonset.yaml")) if each]
        return daemonset["spec"]["template"]["spec"]

    # Nodes.
    unlabelled = notes(nodes=[GPU_NODE])
    need("WARNING: none of the 1 nodes" in unlabelled, "no warning that no node matches")
    selector = pods(*remedy(unlabelled, "--set-json"))["nodeSelector"]
    need(selector.items() <= GPU_NODE.items(), f"the remedy still asks for {selector}")
    need("1 of the 2 nodes match" in notes(*remedy(unlabelled, "--set-json"), nodes=[GPU_NODE, {}]), "after the remedy no node matches")
    need("1 of the 1 nodes match" in notes(nodes=[pods()["nodeSelector"]]), "the operator's label doesn't match")

    # Whoever was rid of the label by `null`, while it was a default, may leave that so.
    own = pods("--set-json=nodeSelector=" + json.dumps({"nvidia.com/gpu.deploy.dcgm-exporter": None, "own": "a"}))["nodeSelector"]
    need(own == {"own": "a"}, f"a label that is null is asked for: {own}")

    # The runtime class.
    missing = notes(classes=["kata"])
    need("WARNING: the cluster has no RuntimeClass" in missing and "WARNING" in notes(classes=[]), "no warning of a missing RuntimeClass")
    need("runtimeClassName" not in pods(*remedy(missing, "--set runtimeClassName=")), "the remedy asks for the class again")
    need("RuntimeClass" not in notes(classes=["kata", "nvidia"]), "a warning of a RuntimeClass that is there")
    need("WARNING" not in notes() and "WARNING" not in notes("--set=runtimeClassName=", classes=[]), "a warning without a reason")

    # What each mode says.
    need("rollout status ds/gpu-thermal-guard" in notes(), "no look at whether pods start")
    need("actuating before?" in notes("--is-upgrade"), "nothing about caps that are left")
    need("actuating before?" not in notes() + notes("--is-upgrade", "--set=mode=actuating"), "caps that nobody can have left")
    for mode in ("read-only", "actuating"):
        need("helm get values gpu -n gpus -o yaml > values.yaml" in notes(f"--set=mode={mode}"), f"{mode}: the values of the release are forgotten")
    need("--values values.yaml --set mode=actuating" in notes() and "--reuse-values" not in notes(), "the next mode loses the values")
    need("label --overwrite namespace gpus" in notes(), "a label that is there already isn't changed")
    need("insufficient quota" in notes() and "insufficient quota" not in notes("--set=priorityClassName="), "GKE's quota")

    # Prometheus.
    scraped = "--set=podMonitor.enabled=true"
    for monitor in ("podMonitor", "serviceMonitor"):
        said = notes(f"--set={monitor}.enabled=true")
        need("No target in Prometheus?" in said and f"--set {monitor}.labels.release=NAME" in said, f"{monitor}: nothing about what hides it")
        helm(CHART, f"--set={monitor}.enabled=true", *re.search(r"kube-prometheus: (.*)", said)[1].split())
    need("No target" not in notes(scraped, "--set=podMonitor.labels.release=a,prometheusAccess.enabled=true"), "a doubt without a reason")
    need("Nothing scrapes" in notes() and "Nothing scrapes" not in notes(scraped), "nobody scrapes, or somebody does")
