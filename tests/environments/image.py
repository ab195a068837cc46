"""The guard's image, built by podman from the Containerfile on bases made of Debian's packages: no registry of images is asked."""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from alone import Unable

sys.path.append("deploy/packages/booted")

import package  # noqa: E402
from pod import Podman  # noqa: E402

CONTAINERFILE = Path("deploy/container/Containerfile")
# What distroless' base-debian12 is made of, and libgcc, which a debug build and the simulated library want; and a slim Debian.
DISTROLESS = ["--variant=extract", "--include=base-files,netbase,tzdata,libc6,libssl3,ca-certificates,libgcc-s1", "bookworm"]
SLIM = ["--variant=minbase", "bookworm"]
USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"


def base(podman: Podman, name: str, made_by: list[str], *change: str, users: str = "") -> str:
    """An image of Debian's packages, kept until what belongs into it changes."""
    tag = hashlib.sha256(repr((made_by, change, users)).encode()).hexdigest()[:12]
    image = f"localhost/{name}:{tag}"
    if podman("image", "exists", image, check=False).returncode == 0:
        return image
    with tempfile.TemporaryDirectory(dir=podman.folder) as scratch:
        archive = Path(scratch, "root.tar")
        made = subprocess.run(["mmdebstrap", "--quiet", *made_by, archive], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Unable(f"no root file system (is there a network?): {made.stderr.strip()[-400:]}")
        if users:
            with tarfile.open(archive, "a") as root:
                passwd = tarfile.TarInfo("./etc/passwd")
                passwd.size = len(users)
                root.addfile(passwd, io.BytesIO(users.encode()))
        podman("import", *(f"--change={one}" for one in change), archive, image)
    return image


def built(podman: Podman, program: Path, tag: str, *options: str) -> tuple[str, str]:
    """The image's name, and what the engine said."""
    slim = base(podman, "slim", SLIM)
    distroless = base(podman, "distroless", DISTROLESS, "USER=65532", users=USERS)
    image = f"localhost/thermal-guard:{tag}"
    with tempfile.TemporaryDirectory(dir=podman.folder) as context:
        packages = Path(context, "target/packages")
        packages.mkdir(parents=True)
        package.of_program(program, packages / "thermal-guard_0.1.0-1_amd64.deb")
        shutil.copy(CONTAINERFILE, context)
        said = podman("build", *options, "--network=none", "--pull=never", "--file", f"{context}/Containerfile", "--tag", image,
                      "--build-arg", f"TOOLS={slim}", "--build-arg", f"BASE={distroless}", context)
    return image, said.stdout + said.stderr


def saved(podman: Podman, image: str, out: Path):
    out.unlink(missing_ok=True)
    podman("save", "--format=docker-archive", "--output", out, image)
