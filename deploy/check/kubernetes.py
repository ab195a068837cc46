"""The manifests hang together, give no more rights than said, and what the Prometheus operator makes of them is valid."""

import glob
import os
import re
import subprocess
import sys
import tempfile

import yaml

HERE = "deploy/kubernetes"
GUARD = os.environ["GUARD"]


def need(condition, what):
    if not condition:
        sys.exit(f"{HERE}: {what}")


def load(name):
    with open(f"{HERE}/{name}.yaml", encoding="utf-8") as file:
        return yaml.safe_load(file)


def snake(value):
    """The operator's spelling as Prometheus's own."""
    if isinstance(value, dict):
        return {re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", key): snake(inner) for key, inner in value.items()}
    return [snake(inner) for inner in value] if isinstance(value, list) else value


def valid(document, *command):
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(document, file)
        said = subprocess.run([*command, file.name], capture_output=True, text=True, check=False)
    need(said.returncode == 0, f"{command}: {said.stdout}{said.stderr}")


manifests = {name: load(name) for name in (os.path.basename(path)[:-5] for path in glob.glob(f"{HERE}/*.yaml"))}
for name, manifest in manifests.items():
    namespace = manifest["metadata"].get("namespace", "thermal-guard")
    need(manifest["metadata"]["name"] == namespace == "thermal-guard", f"{name}: another name or namespace")


def daemonset(name):
    spec = manifests[name]["spec"]
    pod = spec["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    selectors = [spec["selector"], manifests["podmonitor"]["spec"]["selector"], manifests["networkpolicy"]["spec"]["podSelector"]]
    need(all(selector["matchLabels"] == labels for selector in selectors), f"{name}: a selector misses the pod")
    need(pod["serviceAccountName"] == manifests["serviceaccount"]["metadata"]["name"], f"{name}: no such ServiceAccount")
    need(pod["runtimeClassName"] == "nvidia", f"{name}: no driver")
    [container] = pod["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    need(environment["NVIDIA_DRIVER_CAPABILITIES"] == "utility", f"{name}: NVML isn't brought in")
    said = subprocess.run([GUARD, *container["args"], "--help"], capture_output=True, text=True, check=False)
    need(said.returncode == 0, f"{name}: {said.stderr}")
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    need(set(mounts.values()) == set(volumes), f"{name}: volumes and mounts differ")
    need(volumes["config"]["configMap"]["name"] == manifests["configmap"]["metadata"]["name"], f"{name}: no such ConfigMap")
    [config] = [arg.split("=")[1] for arg in container["args"] if arg.startswith("--config.file=")]
    need(os.path.dirname(config) in mounts and os.path.basename(config) in manifests["configmap"]["data"], f"{name}: no {config}")
    ports = {port["name"] for port in container["ports"]}
    probes = {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")}
    scraped = {endpoint["port"] for endpoint in manifests["podmonitor"]["spec"]["podMetricsEndpoints"]}
    need(probes | scraped <= ports, f"{name}: no such port")
    need(container["securityContext"]["readOnlyRootFilesystem"], f"{name}: writes to its image")
    return pod, container["securityContext"], [volume for volume in volumes.values() if "hostPath" in volume]


pod, rights, host = daemonset("daemonset-read-only")
need(rights["capabilities"] == {"drop": ["ALL"]}, "read-only: a capability")
need(pod["securityContext"]["runAsNonRoot"] and not rights["allowPrivilegeEscalation"] and not host, "read-only: root, or the host")
_, rights, host = daemonset("daemonset-actuating")
need(rights["capabilities"] == {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "actuating: other capabilities than SYS_ADMIN")
need({volume["hostPath"]["path"] for volume in host} == {"/var/lib/thermal-guard", "/run/thermal-guard"}, "actuating: other folders of the host")

made = subprocess.run([f"{HERE}/prometheusrule.sh"], capture_output=True, text=True, check=True).stdout
with open(f"{HERE}/prometheusrule.yaml", encoding="utf-8") as file:
    need(file.read() == made, "prometheusrule.yaml is not what prometheusrule.sh makes of the rules")
with open("alerts/thermal-guard.rules.yml", encoding="utf-8") as file:
    need(manifests["prometheusrule"]["spec"] == yaml.safe_load(file), "prometheusrule.yaml has other rules than alerts/")
valid(manifests["prometheusrule"]["spec"], "promtool", "check", "rules")

# Debian's promtool knows no Kubernetes: only what a PodMonitor says of the scrape itself is tried.
scrapes = []
for endpoint in snake(manifests["podmonitor"]["spec"]["podMetricsEndpoints"]):
    scrape = {("metrics_path" if key == "path" else key.replace("interval", "scrape_interval").replace("relabelings", "relabel_configs")): value
              for key, value in endpoint.items() if key != "port"}
    scrapes.append({"job_name": "thermal-guard", **scrape})
valid({"scrape_configs": scrapes}, "promtool", "check", "config", "--syntax-only")

people = snake(manifests["alertmanagerconfig"]["spec"])


def route(node):
    matchers = [f'{matcher["name"]}{matcher["match_type"]}"{matcher["value"]}"' for matcher in node.pop("matchers", [])]
    routes = [route(inner) for inner in node.pop("routes", [])]
    return {**node, **({"matchers": matchers} if matchers else {}), **({"routes": routes} if routes else {})}


people["route"] = route(people["route"])
valid(people, "amtool", "check-config")
for receiver, label in (("nobody", "heartbeat"), ("people", "gradual")):
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(people, file)
        command = ["amtool", "config", "routes", "test", f"--config.file={file.name}", f"--verify.receivers={receiver}", f"guard_action={label}"]
        need(subprocess.run(command, capture_output=True, check=False).returncode == 0, f"{label} doesn't go to {receiver}")

with tempfile.TemporaryDirectory() as scratch:
    path = f"{scratch}/thermal-guard.yml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(manifests["configmap"]["data"]["thermal-guard.yml"])
    said = subprocess.run([GUARD, "check", f"--config.file={path}", "--nvml.library=/nonexistent"], capture_output=True, text=True, check=False)
    need("configuration" in said.stdout and said.returncode != 78, f"configmap: {said.stdout}{said.stderr}")
    need(re.search(r"ok\s+configuration", said.stdout), f"configmap: {said.stdout}")
