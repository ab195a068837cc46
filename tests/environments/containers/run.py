#!/usr/bin/env python3
"""The image, built by podman from the Containerfile, run by the documented lines over the simulated NVML library; and the
compose project with real Prometheus and Alertmanager. Each step is judged by the simulated card and by what the kernel says.

From the repository's root, as root, after `cargo build --workspace`:
    run.py                 every step, then the faults that must be found
    run.py --steps a,b     these steps, by their functions' names; --faults: the faults alone
Exit code 0: all passed, 1: something failed, 77: this machine can't run it, and why.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

import alone
import image
import steps
import single  # noqa: I001
import project
from engine import Engine

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target")).absolute()
FOLDER = TARGET / "environments/containers"
VENV = TARGET / "environments/venv"
STORE = TARGET / "environments/podman"
BUILT = Path(os.environ.get("TOOLS", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "thermal-guard/kubernetes")) / "bin"
COMPOSE = "podman-compose==1.6.0"
NEEDED = {"podman": "podman", "crun": "crun", "/usr/lib/podman/netavark": "netavark", "/usr/lib/podman/aardvark-dns": "aardvark-dns",
          "mmdebstrap": "mmdebstrap", "iptables": "iptables", "ip": "iproute2", "unshare": "util-linux"}
# The compose project's images, of programs that this machine has: built for Kubernetes, or the distribution's.
SERVICES = {"docker.io/prom/prometheus:v3.5.0": "prometheus", "docker.io/prom/alertmanager:v0.28.1": "alertmanager"}
TEMPLATES = Path("/usr/share/prometheus/alertmanager")


def service(podman: image.Podman, name: str, program: str):
    """An image of one program, on the guard's base."""
    found = BUILT / program if (BUILT / program).exists() else shutil.which(program) or shutil.which(f"prometheus-{program}")
    if not found:
        raise alone.Unable(f"missing: {program}")
    base = image.base(podman, "distroless", image.DISTROLESS, "USER=65532", users=image.USERS)
    context = podman.folder / "context"
    shutil.rmtree(context, ignore_errors=True)
    (context / "data").mkdir(parents=True)
    shutil.copy(found, context / program)
    lines = [f"FROM {base}", f"COPY {program} /bin/{program}", f"COPY --chown=65532 data /{program}", f"WORKDIR /{program}", f'ENTRYPOINT ["/bin/{program}"]']
    if program == "alertmanager" and TEMPLATES.exists():
        # Debian's reads them from there.
        shutil.copytree(TEMPLATES, context / "templates")
        lines.insert(1, f"COPY templates {TEMPLATES}")
    (context / "Containerfile").write_text("\n".join(lines), encoding="utf-8")
    podman("build", "--pull=never", "--network=none", "--file", context / "Containerfile", "--tag", name, context)
    shutil.rmtree(context)


def prepare():
    """Outside of the world: what is kept from one run to the next."""
    podman = image.Podman(STORE)
    for tag, form in (("oci", "oci"), ("0.1.0", "docker")):
        image.built(podman, TARGET / "debug/thermal-guard", tag, f"--format={form}")
    for name, program in SERVICES.items():
        service(podman, name, program)
    if not (VENV / "bin/podman-compose").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        done = subprocess.run([VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", COMPOSE], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise alone.Unable(f"no podman-compose: {done.stderr[-300:]}")


# Each: what it is, and what is exchanged in the documented line, in the compose project or in the image's health check.
FAULTS = [
    steps.Fault("a read-only line as root", {"line": ("--read-only", "--read-only --user=0")}, "read_only"),
    steps.Fault("a read-only line that leaves what the engine allows within reach", {"line": ("--cap-drop=ALL", "")}, "read_only"),
    steps.Fault("an actuating line without SYS_ADMIN", {"line": ("--cap-add=SYS_ADMIN", "")}, "acts"),
    steps.Fault("an actuating line whose journal goes with the container", {"line": ("-v /var/lib/thermal-guard:/var/lib/thermal-guard", "")}, "stopped_hot"),
    steps.Fault("locks that no second guard sees", {"line": ("-v /run/thermal-guard:/run/thermal-guard", "--tmpfs /run/thermal-guard")}, "second_refused"),
    steps.Fault("a line without a name for the node", {"line": ("--hostname=gpu1.example", "")}, "hooked"),
    steps.Fault("a health check that asks nobody", {"line": ("--name=guard", "--name=guard"), "health": '["/usr/bin/thermal-guard","--version"]'}, "health"),
    steps.Fault("a project whose guard has another name than it is scraped by", {"compose.yaml": ("hostname: guard", "hostname: gard")}, "comes_up"),
    steps.Fault("a project that scrapes nobody", {"prometheus.yml": ("guard:10835", "guard:1083")}, "comes_up"),
    steps.Fault("a project whose guard asks nobody", {"guard.yml": ("alertmanager:9093", "alertmanager:9094")}, "leases"),
    steps.Fault("a project whose journal goes with the container", {"compose.yaml": ("      - /var/lib/thermal-guard:/var/lib/thermal-guard\n", "")}, "recreated"),
]


@contextlib.contextmanager
def planted(fault: steps.Fault):
    try:
        for name, change in fault.plant.items():
            if name == "line":
                single.exchanged[:] = [change]
            elif name == "health":
                single.exchanged.append(("thermal-guard:0.1.0", f"--health-cmd={change} thermal-guard:0.1.0"))
            else:
                copy = FOLDER / "deploy/compose"
                shutil.rmtree(FOLDER / "deploy", ignore_errors=True)
                shutil.copytree("deploy/compose", copy)
                if not (FOLDER / "alerts").exists():
                    shutil.copytree("alerts", FOLDER / "alerts")
                text = (copy / name).read_text(encoding="utf-8")
                if change[0] not in text:
                    raise ValueError(f"the fault changes nothing in {name}")
                (copy / name).write_text(text.replace(*change), encoding="utf-8")
                project.project = project.files(copy)
        yield
    finally:
        single.exchanged.clear()
        project.project = project.files(Path("deploy/compose"))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", metavar="NAME,…")
    options.add_argument("--faults", nargs="?", const="", metavar="STEP")
    asked = options.parse_args()
    began = time.monotonic()
    try:
        alone.wanted(NEEDED)
        if alone.MARK not in os.environ:
            prepare()
        alone.enter(FOLDER)
    except alone.Unable as unable:
        print(f"skipped: the image in containers: {unable}")
        return alone.SKIPPED
    engine = Engine(STORE, FOLDER, TARGET)
    engine.furnish()
    single.it = project.it = engine
    project.compose = [str(VENV / "bin/podman-compose")]
    failed = 0
    if asked.faults is None:
        chosen = [one for one in steps.STEPS if not asked.steps or one.run.__name__ in asked.steps.split(",")]
        failed += steps.run(chosen, engine.said)
    if not asked.steps:
        failed += steps.look_for([one for one in FAULTS if not asked.faults or asked.faults == one.step], planted)
    engine.nothing()
    print(f"{'all passed' if failed == 0 else f'{failed} failed'} after {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
