"""One real node of Kubernetes: etcd, API server, controllers, scheduler, proxy, DNS, containerd, kubelet, all in this process's
namespaces. They end with them."""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

from steps import Unexpected, sh, until

NAME, ADDRESS, TOKEN = "gpu1", "10.250.0.1", "admin-of-a-test"
PODS, SERVICES = "10.244.0.0/24", "10.96.0.0/16"
HERE = Path(__file__).resolve().parent
SETTINGS = HERE / "settings"


class Node:
    """Started by `up`; `kubectl` and `helm` talk to it."""

    def __init__(self, programs: Path, folder: Path):
        self.programs, self.folder = programs, folder / "node"
        self.logs = self.folder / "logs"
        self.kubeconfig = self.folder / "kubeconfig"
        self.running: dict[str, subprocess.Popen] = {}
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "KUBECONFIG": str(self.kubeconfig),
                            "HELM_CACHE_HOME": str(self.folder / "helm"), "HELM_CONFIG_HOME": str(self.folder / "helm")}

    def start(self, program: str, *arguments):
        with open(self.logs / f"{program}.log", "ab") as log:
            self.running[program] = subprocess.Popen(
                [self.programs / program, *map(str, arguments)], cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def log(self) -> str:
        """The last lines of what each daemon complained about."""
        said = [f"{log.stem}: {line}" for log in sorted(self.logs.glob("*.log")) for line in log.read_text(errors="replace").splitlines()[-3:]]
        return "\n".join(said)

    def settings(self, name: str) -> Path:
        """A file of settings/ with this node's places in it."""
        text = (SETTINGS / name).read_text(encoding="utf-8")
        for word, value in {"FOLDER": self.folder, "ADDRESS": ADDRESS, "PODS": PODS, "TOKEN": TOKEN}.items():
            text = text.replace(f"@{word}@", str(value))
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def up(self):
        self.logs.mkdir(parents=True)
        self._network()
        self._control_plane()
        self._runtime()
        self._kubelet()
        until("a node that is Ready", self._ready, 120, told=self.log)

    def _network(self):
        for line in ("link add d0 type veth peer name d1", f"addr add {ADDRESS}/24 dev d0", "link set d0 up", "link set d1 up",
                     "route add default via 10.250.0.254 dev d0"):
            sh("ip", *line.split())
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")

    def _control_plane(self):
        keys = self.folder / "keys"
        keys.mkdir()
        sh("openssl", "genrsa", "-out", keys / "accounts.key", "2048")
        sh("openssl", "rsa", "-in", keys / "accounts.key", "-pubout", "-out", keys / "accounts.pub")
        (self.folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n", encoding="ascii")
        self.settings("kubeconfig")
        store = "http://127.0.0.1:2379"
        peers = "http://127.0.0.1:2380"
        self.start("etcd", "--data-dir=etcd", "--unsafe-no-fsync", f"--listen-client-urls={store}", f"--advertise-client-urls={store}",
                   f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}")
        self.start("kube-apiserver", f"--etcd-servers={store}", f"--advertise-address={ADDRESS}", f"--cert-dir={keys}",
                   "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={keys}/accounts.pub",
                   f"--service-account-signing-key-file={keys}/accounts.key", "--token-auth-file=tokens.csv", "--authorization-mode=Node,RBAC",
                   f"--service-cluster-ip-range={SERVICES}", "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP")
        until("an API server that is ready", lambda: self.kubectl("get", "--raw", "/readyz", check=False).stdout == "ok", 120, told=self.log)
        config = f"--kubeconfig={self.kubeconfig}"
        self.start("kube-controller-manager", config, f"--service-account-private-key-file={keys}/accounts.key",
                   f"--root-ca-file={keys}/apiserver.crt", "--use-service-account-credentials", "--leader-elect=false")
        self.start("kube-scheduler", config, "--leader-elect=false")
        self.start("kube-proxy", config, f"--hostname-override={NAME}", "--proxy-mode=iptables", f"--cluster-cidr={PODS}",
                   "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s")
        self.start("coredns", "-conf", self.settings("Corefile"))

    def _runtime(self):
        runtimes = self.folder / "runtimes"
        runtimes.mkdir()
        for name in ("runc", "nvidia-runc"):
            (runtimes / name).symlink_to(HERE.parent / "runtime.py")
        self.settings("cni/bridge.conflist")
        self.start("containerd", "-c", self.settings("containerd.toml"))
        until("containerd", lambda: self.ctr("version", check=False).returncode == 0, 30, told=self.log)

    def _kubelet(self):
        labels = "nvidia.com/gpu.present=true,nvidia.com/gpu.deploy.dcgm-exporter=true"
        self.start("kubelet", "--config", self.settings("kubelet.yaml"), f"--kubeconfig={self.kubeconfig}", f"--hostname-override={NAME}",
                   f"--node-ip={ADDRESS}", f"--node-labels={labels}")

    def restart_kubelet(self):
        self.running["kubelet"].kill()
        self.running["kubelet"].wait()
        time.sleep(2)
        self._kubelet()
        until("a kubelet that answers", lambda: http(f"http://{ADDRESS}:10255/healthz") or self._ready(), 60, told=self.log)

    def _ready(self) -> bool:
        node = self.kubectl("get", "node", NAME, "-o", "json", check=False)
        if node.returncode != 0:
            return False
        return any(one["type"] == "Ready" and one["status"] == "True" for one in json.loads(node.stdout)["status"]["conditions"])

    def kubectl(self, *arguments, check=True, text=None, timeout=120):
        return sh(self.programs / "kubectl", *arguments, check=check, text=text, timeout=timeout, environment=self.environment)

    def get(self, *arguments) -> dict:
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def apply(self, text: str):
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)

    def helm(self, *arguments, check=True, timeout=300):
        return sh(self.programs / "helm", *arguments, check=check, timeout=timeout, environment=self.environment)

    def ctr(self, *arguments, check=True):
        return sh(self.programs / "ctr", "--namespace", "k8s.io", *arguments, check=check, environment=self.environment)

    def pods(self, namespace: str, selector: str) -> list[dict]:
        """Those that are not on their way out."""
        found = self.get("pods", "-n", namespace, "-l", selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def http(url: str, timeout=2.0) -> str:
    """The answer's text, or nothing."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.read().decode()
    except (OSError, ValueError):
        return ""


def address(pod: dict) -> str:
    found = pod["status"].get("podIP")
    if not found:
        raise Unexpected(f"expected a pod with an address; seen: {pod['metadata']['name']} is {pod['status'].get('phase')}")
    return found


def is_ready(pod: dict) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
