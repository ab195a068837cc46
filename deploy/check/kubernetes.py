"""The manifests hang together, give no more rights than said, and what the Prometheus operator makes of them is valid."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import tomllib

import yaml

import routes

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
kustomization = manifests.pop("kustomization")
need(all(os.path.exists(f"{HERE}/{name}") for name in kustomization["resources"]), "kustomization: no such file")
need(kustomization["namespace"] == manifests["namespace"]["metadata"]["name"], "kustomization: another namespace")
give_back, give_back_config = manifests.pop("give-back"), manifests.pop("give-back-config")
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
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    need(environment["NVIDIA_DRIVER_CAPABILITIES"] == "utility", f"{name}: NVML isn't brought in")
    need("THERMAL_GUARD_NODE_NAME" in environment, f"{name}: it doesn't know what Prometheus calls it")
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

restoring = give_back["spec"]["template"]["spec"]
need(give_back["metadata"]["name"] == "thermal-guard-give-back", "give-back: another name")
for container in (*restoring["initContainers"], *restoring["containers"]):
    need(container["securityContext"]["capabilities"] == rights["capabilities"], "give-back: other rights than the guard's")
    said = subprocess.run([GUARD, *container["args"], "--help"], capture_output=True, text=True, check=False)
    need(said.returncode == 0, f"give-back: {said.stderr}")
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    need(mounts.get("/etc/thermal-guard", {}).get("readOnly"), "give-back: without the release's configuration")
    need(mounts["/etc/thermal-guard"]["name"] == "config", "give-back: another volume's configuration")
[restore] = restoring["initContainers"]
[config] = [arg.split("=")[1] for arg in restore["args"] if arg.startswith("--config.file=")]
need(os.path.dirname(config) == "/etc/thermal-guard" and os.path.basename(config) in give_back_config["data"], f"give-back: no {config}")
[config] = [volume["configMap"]["name"] for volume in restoring["volumes"] if volume["name"] == "config"]
need(config == give_back_config["metadata"]["name"], "give-back: no such ConfigMap")
need(give_back_config["data"] == manifests["configmap"]["data"], "give-back: another configuration than the guard's")
folders = {volume["hostPath"]["path"] for volume in restoring["volumes"] if "hostPath" in volume}
need(folders == {volume["hostPath"]["path"] for volume in host}, "give-back: the journal isn't where the guard has it")

with open("deploy/helm/thermal-guard/Chart.yaml", encoding="utf-8") as file:
    chart = yaml.safe_load(file)
with open("Cargo.toml", "rb") as file:
    need(tomllib.load(file)["package"]["version"] == chart["appVersion"], "the chart is of another version than the program")
image = manifests["daemonset-actuating"]["spec"]["template"]["spec"]["containers"][0]["image"]
need(image.split(":")[1] == chart["appVersion"], "another version than the chart's")
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
with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
    yaml.safe_dump(people, file)
    wrong = routes.misrouted(file.name, manifests["prometheusrule"]["spec"])
    need(not wrong, f"alertmanagerconfig: {wrong}")

with tempfile.TemporaryDirectory() as scratch:
    path = f"{scratch}/thermal-guard.yml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(manifests["configmap"]["data"]["thermal-guard.yml"])
    said = subprocess.run([GUARD, "check", f"--config.file={path}", "--nvml.library=/nonexistent"], capture_output=True, text=True, check=False)
    need("configuration" in said.stdout and said.returncode != 78, f"configmap: {said.stdout}{said.stderr}")
    need(re.search(r"ok\s+configuration", said.stdout), f"configmap: {said.stdout}")
