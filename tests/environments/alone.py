"""A world of its own for a test that starts daemons: processes, mounts and network in namespaces, a private /run and /var.
What runs there ends with the test, however it ends, and leaves nothing on the machine but its folder."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SKIPPED = 77
MARK = "THERMAL_GUARD_ALONE"
# The first process reaps what daemons leave behind, as an init does.
INIT = 'python3 -B "$@" & wait $!'
CGROUPS = Path("/sys/fs/cgroup")


class Unable(Exception):
    """This machine can't run the test, and why."""


def programs(packages: dict[str, str]):
    """`program: what brings it` for each program that has to be there."""
    missing = sorted({package for program, package in packages.items() if shutil.which(program) is None and not Path(program).exists()})
    if missing:
        raise Unable(f"missing: {', '.join(missing)}")


def wanted(packages: dict[str, str]):
    """These programs, and root."""
    programs(packages)
    if os.geteuid() != 0:
        raise Unable("root is wanted, for namespaces and cgroups")


def cgroups() -> set[Path]:
    """The groups that containers are put into, by the names that container engines give them."""
    ours = re.compile(r"kubepods|[0-9a-f]{64}|libpod.*|machine\.slice|conmon|runtime")
    places = (place for pattern in ("*", "*/*", "*/k8s.io/*") for place in CGROUPS.glob(pattern))
    return {place for place in places if ours.fullmatch(place.name) and place.is_dir() and not place.is_symlink()}


def discard_cgroups(before: set[Path]):
    """Those that are new. One that a process is in can't be removed: it is somebody else's."""
    empty = [Path(folder) for group in cgroups() - before for folder, _, _ in os.walk(group, topdown=False)]
    for folder in (*empty, *CGROUPS.glob("*/k8s.io")):
        with contextlib.suppress(OSError):
            folder.rmdir()


def enter(folder: Path):
    """Returns inside of the world. Outside it starts this program again in there, cleans up behind it, and exits with its code."""
    if os.environ.get(MARK):
        furnish(folder)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    before = cgroups()
    command = ["unshare", "--fork", "--pid", "--kill-child", "--mount-proc", "--mount", "--propagation", "private", "--net",
               "bash", "-c", INIT, "alone", *sys.argv]
    # So that who is ended cleans up as well; the world dies with `unshare`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    inside = subprocess.Popen(command, env={**os.environ, MARK: "yes"})
    try:
        code = inside.wait()
    finally:
        inside.kill()
        inside.wait()
        clean(folder, before)
    sys.exit(code)


def clean(folder: Path, before: set[Path]):
    """What the kernel is still ending holds on to it for a moment."""
    for _ in range(40):
        discard_cgroups(before)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists() and not cgroups() - before:
            return
        time.sleep(0.25)


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unable(f"no mounts of its own: {done.stderr.strip()}")


def furnish(folder: Path):
    """Mounts that are seen from nowhere else, and a network that leads nowhere."""
    for part in ("upper", "work"):
        (folder / part).mkdir()
    mount("--make-rshared", "/")
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/var,upperdir={folder / 'upper'},workdir={folder / 'work'}", "/var")
    mount("-t", "tmpfs", "tmpfs", "/run")
    # crun refuses a cgroup v1 hierarchy with a v2 one mounted inside.
    if (CGROUPS / "unified").is_mount():
        subprocess.run(["umount", CGROUPS / "unified"], check=False)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
