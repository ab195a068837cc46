"""A Debian root with systemd as PID 1, in podman: made once, started for each try, thrown away after it.

Podman runs in a mount namespace of its own, without network, with its images under target/. What stands in the way on some
machines is taken out there: crun refuses a cgroup v1 hierarchy with a v2 one mounted inside, and root in a virtual machine may
lack CAP_SYS_RESOURCE, so the limits that podman asks for stay low.
"""

import hashlib
import itertools
import os
import shutil
import subprocess
import time
from pathlib import Path

# Everything that the tests use inside, and the lists of packages of all sections: where contrib and non-free are enabled, as on a
# node with NVIDIA's packages, an installation shows what else it would bring.
MAKE_ROOT = [
    "mmdebstrap", "--quiet", "--variant=minbase", "--components=main,contrib,non-free", "--skip=cleanup/apt/lists",
    "--include=systemd,systemd-sysv,dbus,curl,procps,python3-minimal,libpython3-stdlib", "bookworm",
]
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4000:4000"]
[engine]
events_logger = "file"
"""
BOOT_SECONDS = 60
# So that each machine has a name of its own.
COUNT = itertools.count()


class Unable(Exception):
    """This machine can't run such a root, and why."""


class Podman:
    """Podman with its storage under a folder of ours."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = self.folder / "containers.conf"
        self.settings.write_text(CONFIGURATION, encoding="utf-8")
        crun = shutil.which("crun")
        if crun is None or shutil.which("podman") is None:
            raise Unable("podman and crun are wanted: apt-get install --no-install-recommends podman crun mmdebstrap")
        if os.geteuid() != 0:
            raise Unable("root is wanted, for a systemd with cgroups of its own")
        alone = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'
        self.prefix = [
            "unshare", "--mount", "--propagation", "slave", "sh", "-c", alone, "sh",
            "podman", "--root", str(self.folder / "store"), "--runroot", str(self.folder / "run"), "--runtime", crun,
        ]

    def environment(self):
        return {**os.environ, "CONTAINERS_CONF": str(self.settings)}

    def __call__(self, *arguments, check=True, timeout=600):
        done = subprocess.run(
            [*self.prefix, *map(str, arguments)], env=self.environment(),
            capture_output=True, text=True, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise Unable(f"podman {arguments[0]}: {done.stderr.strip()[-400:]}")
        return done

    def image(self) -> str:
        """The root's image, made anew when what belongs into it has changed."""
        tag = hashlib.sha256(" ".join(MAKE_ROOT).encode()).hexdigest()[:12]
        name = f"localhost/booted:{tag}"
        if self("image", "exists", name, check=False).returncode == 0:
            return name
        archive = self.folder / f"root-{tag}.tar"
        if not archive.exists():
            if shutil.which("mmdebstrap") is None:
                raise Unable("mmdebstrap is wanted, to make the root: apt-get install --no-install-recommends mmdebstrap")
            partial = archive.with_suffix(".partial.tar")
            made = subprocess.run([*MAKE_ROOT, str(partial)], capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise Unable(f"no root file system (is there a network?): {made.stderr.strip()[-400:]}")
            partial.rename(archive)
        self("import", archive, name)
        # The image is what is kept; the archive is as large.
        archive.unlink()
        return name


class Machine:
    """One booted root."""

    def __init__(self, podman: Podman, name: str):
        self.podman, self.name = podman, f"thermal-guard-{name}-{os.getpid()}-{next(COUNT)}"
        image = podman.image()
        podman("run", "--detach", "--name", self.name, "--hostname", "gpu1", "--network=none", "--systemd=always",
               "--privileged", image, "/sbin/init")
        try:
            self._booted()
        except BaseException:
            self.discard()
            raise

    def _booted(self):
        until = time.monotonic() + BOOT_SECONDS
        seen = ""
        while time.monotonic() < until:
            seen = self.podman("exec", self.name, "systemctl", "is-system-running", check=False).stdout.strip()
            if seen in ("running", "degraded"):
                return
            time.sleep(0.3)
        raise Unable(f"systemd doesn't boot within {BOOT_SECONDS} s: {seen or 'no answer'}")

    def copy(self, source: Path, place: str):
        self.podman("cp", source, f"{self.name}:{place}")

    def run(self, *command) -> int:
        """In the machine, with its output on ours."""
        prefix = [*self.podman.prefix, "exec", self.name, *map(str, command)]
        return subprocess.run(prefix, env=self.podman.environment(), check=False).returncode

    def output(self, *command):
        return self.podman("exec", self.name, *command, check=False)

    def discard(self):
        self.podman("rm", "--force", "--time", "0", self.name, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.discard()
