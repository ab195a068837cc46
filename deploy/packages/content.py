#!/usr/bin/env python3
"""The packages of an architecture hold a program of that architecture, the same in all three, and say so; it runs on the glibc
that they promise, and needs no library beside glibc's. Their sums are right. Needs readelf, and neither dpkg nor rpm.

    deploy/packages/content.py x86_64|aarch64 [FOLDER]    by default target/packages
"""

import gzip
import hashlib
import io
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

GLIBC = (2, 28)
# ARM kernels may have pages of 64 KiB: a program whose segments are aligned to less doesn't start there.
ALIGNMENT = {"x86_64": 0x1000, "aarch64": 0x10000}
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
MACHINE = {"x86_64": 62, "aarch64": 183}
# glibc's own. libgcc_s isn't, and a distroless image lacks it.
LIBRARIES = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
PROGRAM = "usr/bin/thermal-guard"
RPM_ARCH = 1022


def ar_members(data):
    at = 8
    while at < len(data):
        name, size = data[at:at + 16].decode().strip().rstrip("/"), int(data[at + 48:at + 58])
        yield name, data[at + 60:at + 60 + size]
        at += 60 + size + size % 2


def tar_files(data, skip=0):
    """Paths, without their first `skip` folders, and contents of the regular files."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {"/".join(Path(it.name).parts[skip:]): tar.extractfile(it).read() for it in tar if it.isfile()}


def deb(data):
    members = dict(ar_members(data))
    control = next(tar_files(it) for name, it in members.items() if name.startswith("control.tar"))["control"].decode()
    files = next(tar_files(it) for name, it in members.items() if name.startswith("data.tar"))
    return re.search(r"^Architecture: (.*)$", control, re.M)[1], files


def rpm_header(data, at):
    """The strings of one header, by tag, and where it ends."""
    count, size = struct.unpack(">8xII", data[at:at + 16])
    store = at + 16 + 16 * count
    found = {}
    for entry in range(at + 16, store, 16):
        tag, kind, offset, _ = struct.unpack(">IIII", data[entry:entry + 16])
        if kind == 6:
            found[tag] = data[store + offset:data.index(0, store + offset)].decode()
    return found, store + size


def cpio_files(data):
    files, at = {}, 0
    while True:
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, length = fields[6], fields[11]
        name = data[at + 110:at + 110 + length - 1].decode()
        body = (at + 110 + length + 3) & ~3
        if name == "TRAILER!!!":
            return files
        files[name.removeprefix(".").lstrip("/")] = data[body:body + size]
        at = (body + size + 3) & ~3


def rpm(data):
    _, end = rpm_header(data, 96)
    strings, end = rpm_header(data, (end + 7) & ~7)
    return strings[RPM_ARCH], cpio_files(gzip.decompress(data[end:]))


def machine(content):
    return struct.unpack("<H", content[18:20])[0] if content.startswith(b"\x7fELF") else None


def readelf(option, path):
    return subprocess.run(["readelf", "-W", option, path], capture_output=True, text=True, check=True).stdout


def needs(program):
    """The newest glibc whose symbols it wants, the libraries, and the largest pages that its segments allow."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(program)
        file.flush()
        versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", readelf("--version-info", file.name))
        libraries = re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("--dynamic", file.name))
        alignments = re.findall(r"^ *LOAD .* 0x([0-9a-f]+)$", readelf("--program-headers", file.name), re.M)
    return max((int(major), int(minor)) for major, minor in versions), set(libraries), min(int(it, 16) for it in alignments)


def one(folder, pattern):
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ValueError(f"{folder}/{pattern}: {len(found)} packages instead of one")
    return found[0]


def of(arch, folder):
    """The .deb, the .rpm and the tarball of that architecture."""
    return [one(folder, pattern) for pattern in (f"*_{DEBIAN[arch]}.deb", f"*.{arch}.rpm", f"*-{arch}.tar.gz")]


def read(arch, folder):
    """Of each package its name, what it says of its architecture, its files, what it should say."""
    debian, red_hat, archive = of(arch, folder)
    yield debian.name, *deb(debian.read_bytes()), DEBIAN[arch]
    yield red_hat.name, *rpm(red_hat.read_bytes()), arch
    files = tar_files(archive.read_bytes(), skip=1)
    files[PROGRAM] = files.pop("thermal-guard", b"")
    yield archive.name, arch, files, arch


def sums(folder):
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            yield f"{name}: another sum than in SHA256SUMS"


def faults(arch, folder):
    programs, listed = {}, (folder / "SHA256SUMS").read_text(encoding="utf-8")
    yield from sums(folder)
    for name, said, files, expected in read(arch, folder):
        if name not in listed:
            yield f"{name}: not in SHA256SUMS"
        if said != expected:
            yield f"{name}: says it is for {said} instead of {expected}"
        for path, content in files.items():
            if machine(content) not in (None, MACHINE[arch]):
                yield f"{name}: {path} is a program of another machine than {arch}"
        programs[name] = files.get(PROGRAM, b"")
        if machine(programs[name]) is None:
            yield f"{name}: {PROGRAM} is no program"
    if len(set(programs.values())) != 1:
        yield f"different programs in {', '.join(programs)}"
    for program in set(filter(machine, programs.values())):
        glibc, libraries, alignment = needs(program)
        if glibc > GLIBC:
            yield f"the program needs glibc {glibc[0]}.{glibc[1]}, newer than {GLIBC[0]}.{GLIBC[1]}"
        if libraries - LIBRARIES:
            yield f"the program needs {', '.join(sorted(libraries - LIBRARIES))}, which isn't glibc's"
        if alignment < ALIGNMENT[arch]:
            yield f"the program's segments are aligned to {alignment:#x} instead of {ALIGNMENT[arch]:#x}: it can't start with larger pages"
        print(f"{arch}: needs glibc {glibc[0]}.{glibc[1]}; {', '.join(sorted(libraries))}")


if __name__ == "__main__":
    found = list(faults(sys.argv[1], Path(*sys.argv[2:] or ["target/packages"])))
    sys.exit("\n".join(found) or 0)
