#!/usr/bin/env python3
"""The package in a virtual machine with a kernel of its own: closed devices, and a reboot in mid-throttle. Emulated, so slow, and
without KVM. From the repository's root, as root, after `cargo build --workspace`; options as of run.py: --deb.
Exit code 0: all passed, 1: something failed, 77: this machine can't, and why.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True

from pod import Unable
from run import LIBRARY, SKIPPED, TARGET, prepare

MAKE_ROOT = [
    "mmdebstrap", "--quiet", "--variant=minbase",
    "--include=systemd,systemd-sysv,dbus,udev,linux-image-cloud-amd64,procps,python3-minimal,libpython3-stdlib", "bookworm",
]
UNIT = """\
[Unit]
Description=the steps of this boot
After=multi-user.target
[Service]
Type=exec
ExecStart=/usr/bin/python3 -B /t/inside/rebooted.py
StandardOutput=file:/dev/ttyS1
StandardError=inherit
[Install]
WantedBy=multi-user.target
"""
WANTED = {"qemu-system-x86_64": "qemu-system-x86", "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs"}
# Two boots and the steps; some three minutes on an idle machine.
PATIENCE = 1200


def archive() -> Path:
    folder = TARGET / "booted"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"vm-{hashlib.sha256(' '.join(MAKE_ROOT).encode()).hexdigest()[:12]}.tar"
    if not kept.exists():
        partial = kept.with_suffix(".partial.tar")
        made = subprocess.run([*MAKE_ROOT, partial], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Unable(f"no root file system (is there a network?): {made.stderr.strip()[-400:]}")
        partial.rename(kept)
    return kept


def disk(scratch: Path, deb: Path | None) -> tuple[Path, Path]:
    """The disk, and the folder with its kernel."""
    root = scratch / "root"
    root.mkdir()
    subprocess.run(["tar", "-C", root, "-xf", archive()], check=True)
    bench = prepare(scratch, deb)
    shutil.copytree(bench, root / "t")
    for place, source in ((LIBRARY, "libnvidia_ml.so"), ("/usr/bin/nvml-simctl", "nvml-simctl")):
        shutil.copy(bench / source, root / place.lstrip("/"))
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 0\n", encoding="utf-8")
    (root / "etc/hostname").write_text("gpu1\n", encoding="utf-8")
    # So that the second boot can read what the first one said.
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)
    (root / "etc/systemd/system/steps.service").write_text(UNIT, encoding="utf-8")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / "steps.service").symlink_to("../steps.service")
    image = scratch / "disk.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, image, "3G"], check=True)
    kernel = scratch / "boot"
    shutil.copytree(root / "boot", kernel)
    shutil.rmtree(root)
    return image, kernel


def boot(image: Path, kernel: Path, scratch: Path) -> str:
    said = scratch / "steps.log"
    command = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max", "-m", "1536", "-display", "none",
        "-kernel", next(kernel.glob("vmlinuz-*")), "-initrd", next(kernel.glob("initrd.img-*")),
        "-append", "root=/dev/vda rw console=ttyS0 quiet", "-drive", f"file={image},if=virtio,format=raw,cache=unsafe", "-nic", "none",
        "-serial", f"file:{scratch / 'console.log'}", "-serial", f"file:{said}",
    ]
    with subprocess.Popen(command) as machine:
        end, shown = time.monotonic() + PATIENCE, 0
        while machine.poll() is None and time.monotonic() < end:
            time.sleep(1)
            text = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
            print(text[shown:], end="", flush=True)
            shown = len(text)
        machine.kill()
    return said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--deb", type=Path)
    asked = options.parse_args()
    try:
        for program, package in WANTED.items():
            if shutil.which(program) is None:
                raise Unable(f"{program} is wanted: apt-get install --no-install-recommends {package}")
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            said = boot(*disk(scratch, asked.deb), scratch)
            if "done, " not in said:
                console = (scratch / "console.log").read_text(encoding="utf-8", errors="replace")
                print(f"the virtual machine didn't get through its steps; its console: …{console[-1500:]}")
    except Unable as unable:
        print(f"skipped: the package in a virtual machine: {unable}")
        return SKIPPED
    return 0 if "done, 0 failed" in said else 1


if __name__ == "__main__":
    sys.exit(main())
