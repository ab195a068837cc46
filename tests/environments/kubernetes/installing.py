"""Steps: what Helm installs and refuses, and what the cluster says to that."""

import json
import re
import shlex

import world as w
from node import NAME
from steps import expect, step, until

it: w.World = None


@step("`restricted` admits read-only as it is: `helm install --wait` succeeds, without a warning")
def read_only_restricted():
    it.namespace("restricted")
    it.nothing()
    said = it.upgrade(*w.OPERATOR)
    it.installed = (it.chart, "read-only", ())
    expect("PodSecurity" not in said.stdout + said.stderr, "no warning about Pod Security", said.stderr)
    expect(it.ready(), "a pod that is ready", it.said())
    expect("1 of the 1 nodes match" in said.stdout, "a note that the node matches", said.stdout[-800:])


@step("a read-only guard sees the card, decides, and writes nothing to it")
def read_only_watches():
    it.running("read-only")
    it.heat()
    until("a decision to throttle", lambda: it.metric("thermal_guard_state", 'state="gradual"') == 1 or it.metric("thermal_guard_state", 'state="emergency"') == 1,
          30, told=it.said)
    expect(it.limit() == w.ORIGINAL and it.card()["limit_writes"] == 0, "nothing written", it.card())
    user = it.pod()["spec"]["securityContext"]
    expect(user["runAsUser"] == 65532 and user["runAsNonRoot"], "user 65532", user)


@step("actuating is refused where `restricted` is enforced, before anything changes, with the level and the command that allow it")
def actuating_refused():
    it.running("read-only")
    before = it.pod()["metadata"]["uid"]
    said = it.upgrade("mode=actuating", *w.OPERATOR, check=False, wait="20s")
    needed = f"kubectl label --overwrite namespace {w.NAMESPACE} {w.POD_SECURITY}=privileged"
    expect(said.returncode != 0 and needed in said.stderr, f"a refusal with `{needed}`", f"{said.returncode}: {said.stderr[-600:]}")
    expect("SYS_ADMIN" in said.stderr, "the reason", said.stderr[-600:])
    expect(it.pod()["metadata"]["uid"] == before, "the pod of before", "another")


@step("actuating runs where `privileged` is enforced, with SYS_ADMIN and no other capability")
def actuating_admitted():
    it.running()
    said = json.loads(it.exec("status", "--json").stdout)
    expect(said, "a status by exec", said)
    rights = it.pod()["spec"]["containers"][0]["securityContext"]
    expect(rights["capabilities"] == {"drop": ["ALL"], "add": ["SYS_ADMIN"]} and "privileged" not in rights, "SYS_ADMIN alone", rights)
    checked = it.exec("check", "--config.file=/etc/thermal-guard/thermal-guard.yml", check=False)
    expect(checked.returncode == 0 and "stop the first" not in checked.stdout, "check passes beside its own guard", checked.stdout[-900:])


@step("where no node has the labels of nodeSelector, the notes say so, and their remedy brings a pod to the node")
def no_node_matches():
    it.node.kubectl("label", "node", NAME, "nvidia.com/gpu.deploy.dcgm-exporter-")
    desired = lambda: it.node.get("daemonset", "nowhere-thermal-guard", "-n", "nowhere")["status"]["desiredNumberScheduled"]
    try:
        it.namespace("restricted", "nowhere")
        said = it.upgrade(release="nowhere", namespace="nowhere").stdout
        expect(desired() == 0, "no pod wanted", desired())
        remedy = [line for line in said.splitlines() if "nodeSelector=" in line]
        expect("WARNING: none of the 1 nodes" in said and len(remedy) == 1, "a warning with a remedy", said[-900:])
        # Nobody waits for the pod: that it is wanted is what the label decides.
        said = it.node.helm("upgrade", "nowhere", it.chart, "--namespace", "nowhere", *shlex.split(remedy[0])).stdout
        until("a pod wanted", lambda: desired() == 1, 30, told=it.said)
        expect("1 of the 1 nodes match" in said, "a note that the node matches", said[-900:])
    finally:
        it.node.kubectl("label", "node", NAME, "nvidia.com/gpu.deploy.dcgm-exporter=true")
        it.helm("uninstall", "--ignore-not-found", release="nowhere", namespace="nowhere")


# What a team has that owns a namespace and nothing else.
TENANT = """
apiVersion: v1
kind: ServiceAccount
metadata: { name: tenant, namespace: tenant }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: tenant, namespace: tenant }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin }
subjects: [{ kind: ServiceAccount, name: tenant, namespace: tenant }]
"""


@step("who owns one namespace and may read no node installs read-only with `lookups: false`")
def tenant():
    it.namespace("restricted", "tenant")
    it.node.apply(TENANT)
    token = it.node.kubectl("create", "token", "tenant", "-n", "tenant").stdout.strip()
    as_tenant = ["--kube-token", token]
    try:
        said = it.node.helm("install", "mine", it.chart, *as_tenant, "--namespace", "tenant", "--wait", "--timeout=90s", "--set=lookups=false", check=False)
        expect(said.returncode == 0, "an installation", said.stderr[-600:])
        refused = it.node.helm("upgrade", "mine", it.chart, *as_tenant, "--namespace", "tenant", "--timeout=20s", "--set=lookups=true", check=False)
        expect(refused.returncode != 0 and "nodes is forbidden" in refused.stderr, "nodes named as forbidden with lookups", f"{refused.returncode}: {refused.stderr[-600:]}")
    finally:
        it.node.helm("uninstall", "mine", "--namespace", "tenant", "--ignore-not-found", "--wait")


@step("the driver in the GPU operator's container: mounted from /run/nvidia/driver, found and used, without its runtime class")
def operator_driver():
    it.namespace("privileged")
    it.nothing()
    folder = f"{w.DRIVER}/usr/lib/x86_64-linux-gnu"
    it.upgrade("mode=actuating", "runtimeClassName=", f"driver.hostPath={w.DRIVER}",
               "extraEnv[0].name=NVML_SIM_STATE", f"extraEnv[0].value={w.HOST}/state",
               "extraVolumes[0].name=card", f"extraVolumes[0].hostPath.path={w.HOST}",
               "extraVolumeMounts[0].name=card", f"extraVolumeMounts[0].mountPath={w.HOST}")
    until("a driver that is found", lambda: it.metric("thermal_guard_nvml_up") == 1, 30, told=it.said)
    logged = it.node.kubectl("logs", "-n", w.NAMESPACE, it.pod()["metadata"]["name"]).stdout
    expect(folder in logged or re.search(r"/run/nvidia/driver", logged), f"a log line with {folder}", logged[:800])
    it.heat()
    until("a limit under the original on a hot card", lambda: it.limit() < w.ORIGINAL - 1, 60, told=it.said)


@step("the API server takes every plain manifest, the operator's objects included")
def plain_manifests():
    it.namespace("restricted")
    it.nothing()
    said = it.node.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", "deploy/kubernetes")
    warnings = [line for line in said.stderr.splitlines() if "last-applied-configuration" not in line]
    expect(not warnings, "no warning", warnings)
    files = ["podmonitor", "prometheusrule", "alertmanagerconfig", "prometheus-role", "prometheus-rolebinding", "daemonset-actuating", "give-back-config", "give-back"]
    it.node.kubectl("apply", "--dry-run=server", "--validate=strict", *(f"--filename=deploy/kubernetes/{name}.yaml" for name in files))
