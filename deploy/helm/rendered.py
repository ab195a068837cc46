"""What the chart renders gives no more rights than said, and hangs together. `rendered.py CHART`; wants helm."""

import json
import subprocess
import sys

import yaml

CHART = sys.argv[1]
EVERYTHING = ["podMonitor", "prometheusAccess", "prometheusRule", "alertmanagerConfig", "networkPolicy", "dashboards"]


def need(condition, what):
    if not condition:
        sys.exit(f"{CHART}: {what}")


def render(*values, release="thermal-guard"):
    command = ["helm", "template", release, CHART, "--namespace", "gpu"]
    for value in values:
        command += ["--set-json", value]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    need(said.returncode == 0, said.stderr)
    return [document for document in yaml.safe_load_all(said.stdout) if document]


def one(documents, kind):
    [found] = [document for document in documents if document["kind"] == kind]
    return found


def pod(documents):
    template = one(documents, "DaemonSet")["spec"]["template"]
    [container] = template["spec"]["containers"]
    host = sorted(volume["hostPath"]["path"] for volume in template["spec"]["volumes"] if "hostPath" in volume)
    return template, container, host


template, container, host = pod(render())
rights = container["securityContext"]
need(rights["capabilities"] == {"drop": ["ALL"]} and not rights["allowPrivilegeEscalation"], "read-only: a capability")
need(template["spec"]["securityContext"]["runAsNonRoot"] and host == [], "read-only: root, or the host")
need("--mode=observe" in container["args"], "read-only: it may write")
need(template["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "read-only: no seccomp profile")

template, container, host = pod(render('mode="actuating"'))
rights = container["securityContext"]
need(rights["capabilities"] == {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "actuating: other capabilities than SYS_ADMIN")
need("privileged" not in rights and host == ["/run/thermal-guard", "/var/lib/thermal-guard"], "actuating: other folders of the host")
need("--mode=observe" not in container["args"], "actuating: it may not write")

_, container, host = pod(render('driver={"hostPath":"/run/nvidia/driver"}'))
need(container["securityContext"]["privileged"] and host == ["/run/nvidia/driver"], "driver: not as said")

given = render('giveBack=true', 'mode="actuating"', 'config={"thresholds":{"safe":70,"alert":75,"critical":82}}',
               'extraVolumes=[{"name":"v","emptyDir":{}}]', 'extraVolumeMounts=[{"name":"v","mountPath":"/v"}]', release="other")
[restoring] = [document["spec"]["template"]["spec"] for document in given if document["kind"] == "DaemonSet" and document["metadata"]["name"].endswith("-give-back")]
[its] = [document for document in given if document["kind"] == "ConfigMap" and document["metadata"]["name"].endswith("-give-back")]
need(yaml.safe_load(its["data"]["thermal-guard.yml"])["thresholds"]["alert"] == 75, "give-back: another configuration than the release's")
volumes = {volume["name"]: volume for volume in restoring["volumes"]}
need(volumes["config"]["configMap"]["name"] == its["metadata"]["name"], "give-back: no such ConfigMap")
for each in (*restoring["initContainers"], *restoring["containers"]):
    mounts = {mount["mountPath"]: mount["name"] for mount in each["volumeMounts"]}
    need(mounts.get("/etc/thermal-guard") == "config" and mounts.get("/v") == "v", "give-back: a pod without the guard's folders")
    need(set(mounts.values()) == set(volumes), "give-back: volumes and mounts differ")

everything = render(*[f"{name}={json.dumps({'enabled': True})}" for name in EVERYTHING], release="other")
labels = one(everything, "DaemonSet")["spec"]["template"]["metadata"]["labels"]
selectors = [one(everything, "DaemonSet")["spec"]["selector"], one(everything, "PodMonitor")["spec"]["selector"],
             one(everything, "NetworkPolicy")["spec"]["podSelector"]]
for selector in selectors:
    need(selector["matchLabels"].items() <= labels.items(), f"a selector misses the pod: {selector}")
    need(selector["matchLabels"]["app.kubernetes.io/instance"] == "other", "two releases would take each other's pods")
need(labels["app.kubernetes.io/name"] == "thermal-guard", "another job than the rules ask for")
names = [(document["kind"], document["metadata"]["name"]) for document in everything]
need(len(set(names)) == len(names), "two objects of one name")
need(all(document["metadata"]["namespace"] == "gpu" for document in everything), "an object outside of the namespace")

[endpoint] = one(everything, "PodMonitor")["spec"]["podMetricsEndpoints"]
relabelings = endpoint["relabelings"]
need({"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"} in relabelings, "instance isn't the node")
need({"action": "labeldrop", "regex": "pod|container"} in relabelings, "an alert changes its identity with its pod")
environment = {entry["name"]: entry for entry in container["env"]}
path = environment["THERMAL_GUARD_NODE_NAME"]["valueFrom"]["fieldRef"]["fieldPath"]
need(path == "spec.nodeName", "the guard doesn't know what Prometheus calls it")

[rule, slices] = one(everything, "Role")["rules"]
need(rule["resources"] == ["pods", "services", "endpoints"] and slices["resources"] == ["endpointslices"], "Prometheus may see more than targets")
need(all(right["verbs"] == ["get", "list", "watch"] for right in (rule, slices)), "Prometheus may do more than look")
binding = one(everything, "RoleBinding")
need(binding["roleRef"]["name"] == one(everything, "Role")["metadata"]["name"], "the binding is of another role")
need(binding["subjects"] == [{"kind": "ServiceAccount", "name": "prometheus-k8s", "namespace": "monitoring"}], "another Prometheus than said")

with open("alerts/thermal-guard.rules.yml", encoding="utf-8") as file:
    need(one(everything, "PrometheusRule")["spec"] == yaml.safe_load(file), "other rules than alerts/")
boards = [document for document in everything if document["metadata"]["name"].endswith(("-thermal", "-fleet"))]
need(len(boards) == 2, "not two dashboards")
for board in boards:
    need(board["metadata"]["labels"]["grafana_dashboard"] == "1", "Grafana's sidecar doesn't look for it")
    [(name, text)] = board["data"].items()
    need(json.loads(text)["uid"], f"{name} is no dashboard")

stack = render('podMonitor={"enabled":true,"labels":{"release":"kps"}}')
need(one(stack, "PodMonitor")["metadata"]["labels"]["release"] == "kps", "kube-prometheus-stack doesn't see it")
config = one(render('config={"thresholds":{"safe":70,"alert":75,"critical":82}}'), "ConfigMap")["data"]["thermal-guard.yml"]
need(yaml.safe_load(config)["thresholds"]["alert"] == 75, "the configuration isn't the guard's file")
