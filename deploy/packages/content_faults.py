#!/usr/bin/env python3
"""Packages with one fault each, which content.py must find. Needs dpkg-deb.

    deploy/packages/content_faults.py x86_64|aarch64 [FOLDER]    by default target/packages
"""

import contextlib
import hashlib
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import content


def write_sums(folder):
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.glob("thermal-guard*"))]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def in_deb(edit):
    """The .deb, packed anew after `edit` has had its unpacked folder."""
    def fault(arch, folder):
        deb = content.one(folder, f"*_{content.DEBIAN[arch]}.deb")
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch, "root")
            subprocess.run(["dpkg-deb", "--raw-extract", deb, root], check=True)
            edit(root)
            subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, deb], check=True, capture_output=True)
        write_sums(folder)
    return fault


def in_program(edit):
    def change(root):
        program = root / content.PROGRAM
        before = program.read_bytes()
        after = edit(before)
        if after == before:
            raise ValueError("the fault changes nothing")
        program.write_bytes(after)
    return in_deb(change)


def other_machine(program):
    machine = next(it for it in content.MACHINE.values() if it != content.machine(program))
    return program[:18] + machine.to_bytes(2, "little") + program[20:]


def for_smaller_pages(program):
    """Its first segment is aligned to less than a page of any kernel."""
    start, size, count = int.from_bytes(program[32:40], "little"), *struct.unpack("<HH", program[54:58])
    headers = range(start, start + size * count, size)
    first = next(at for at in headers if program[at:at + 4] == b"\1\0\0\0")
    return program[:first + 48] + (0x800).to_bytes(8, "little") + program[first + 56:]


def says_other_architecture(root):
    control = root / "DEBIAN/control"
    text = control.read_text(encoding="utf-8")
    control.write_text(text.replace("Architecture: ", "Architecture: musl-linux-"), encoding="utf-8")


def other_tarball(arch, folder):
    path = content.one(folder, f"*-{arch}.tar.gz")
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(path) as tar:
            tar.extractall(scratch)
        program = next(Path(scratch).glob("*/thermal-guard"))
        program.write_bytes(program.read_bytes() + b"\0")
        with tarfile.open(path, "w:gz") as tar:
            tar.add(program.parent, arcname=program.parent.name)
    write_sums(folder)


def no_rpm(arch, folder):
    content.one(folder, f"*.{arch}.rpm").unlink()
    write_sums(folder)


def changed_after_the_sums(arch, folder):
    with content.one(folder, f"*.{arch}.rpm").open("ab") as file:
        file.write(b"\0")


def unlisted(_, folder):
    (folder / "SHA256SUMS").write_text("", encoding="utf-8")


FAULTS = [
    (in_program(other_machine), "is a program of another machine"),
    (in_deb(says_other_architecture), "says it is for"),
    (in_program(lambda it: it.replace(b"GLIBC_2.28", b"GLIBC_2.99")), "needs glibc 2.99"),
    (in_program(lambda it: it.replace(b"libdl.so.2\0", b"libgc.so.2\0")), "libgc.so.2, which isn't glibc's"),
    (in_program(for_smaller_pages), "aligned to 0x800"),
    (in_program(lambda _: b"#!/bin/sh\n"), "is no program"),
    (other_tarball, "different programs"),
    (no_rpm, "0 packages instead of one"),
    (changed_after_the_sums, "another sum"),
    (unlisted, "not in SHA256SUMS"),
]


def found(arch, folder):
    try:
        with contextlib.redirect_stdout(None):
            return "\n".join(content.faults(arch, folder))
    except ValueError as error:
        return str(error)


def main(arch, packages):
    for fault, expected in FAULTS:
        with tempfile.TemporaryDirectory() as scratch:
            for path in content.of(arch, packages):
                shutil.copy(path, scratch)
            write_sums(Path(scratch))
            fault(arch, Path(scratch))
            said = found(arch, Path(scratch))
        if expected not in said:
            sys.exit(f"FAIL  a fault goes unseen: {expected}; said instead: {said}")
        print(f"ok    caught: {expected}")


if __name__ == "__main__":
    main(sys.argv[1], Path(*sys.argv[2:] or ["target/packages"]))
