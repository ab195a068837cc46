"""The .deb of a program that was built anyway, and packages that differ from a given one in a single thing.

What goes into the package is read from Cargo.toml, as cargo-deb reads it for `make packages`; only the tool is another: dpkg-deb.
"""

import glob
import os
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path


def stripped(source: Path, place: Path):
    """Debugging information is nine tenths of a debug build, and would be packed and copied for nothing."""
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["strip", "--strip-debug", "-o", place, source], check=True)
    place.chmod(0o755)


def generated(program: Path, folder: Path):
    """Man pages and completions, as `make assets` makes them."""
    (folder / "completions").mkdir(parents=True)
    for shell, name in [("bash", "thermal-guard.bash"), ("zsh", "_thermal-guard"), ("fish", "thermal-guard.fish")]:
        text = subprocess.run([program, "completions", shell], capture_output=True, check=True).stdout
        (folder / "completions" / name).write_bytes(text)
    subprocess.run([program, "man", folder / "man"], check=True, capture_output=True)


def pack(root: Path, out: Path):
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, out], check=True, capture_output=True)


def of_program(program: Path, out: Path):
    """From the repository's root: its .deb into `out`."""
    with open("Cargo.toml", "rb") as file:
        manifest = tomllib.load(file)
    package, shared = manifest["package"], manifest["workspace"]["package"]
    metadata = package["metadata"]["deb"]
    with tempfile.TemporaryDirectory() as scratch:
        root, made = Path(scratch, "root"), Path(scratch, "assets")
        generated(program, made)
        for source, place, mode in metadata["assets"]:
            if source == "target/release/thermal-guard":
                stripped(program, root / place / "thermal-guard")
                continue
            source = source.replace("target/assets", str(made))
            found = glob.glob(source)
            if not found:
                raise FileNotFoundError(f"Cargo.toml names {source}, which doesn't exist")
            for path in found:
                into = root / place / os.path.basename(path) if place.endswith("/") else root / place
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, into)
                into.chmod(int(mode, 8))
        for page in root.glob("usr/share/man/*/*"):
            subprocess.run(["gzip", "-9n", page], check=True)
        control = root / "DEBIAN"
        control.mkdir()
        relations = "".join(f"{name.title()}: {metadata[name]}\n" for name in ("depends", "recommends", "suggests") if name in metadata)
        (control / "control").write_text(
            f"Package: {package['name']}\nVersion: {package['version']}-1\nArchitecture: amd64\n"
            f"Maintainer: {shared['authors'][0]}\n{relations}Description: {package['description']}\n", encoding="utf-8")
        settings = sorted(str(path.relative_to(root)) for path in root.glob("etc/**/*") if path.is_file())
        (control / "conffiles").write_text("".join(f"/{path}\n" for path in settings), encoding="utf-8")
        for script in Path(metadata["maintainer-scripts"]).iterdir():
            shutil.copyfile(script, control / script.name)
            (control / script.name).chmod(0o755)
        pack(root, out)


def altered(deb: Path, out: Path, version: str | None = None, edit=None):
    """The same package as another version, or with a fault: `edit` gets its unpacked folder."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "root")
        subprocess.run(["dpkg-deb", "--raw-extract", deb, root], check=True)
        if version:
            control = root / "DEBIAN/control"
            lines = control.read_text(encoding="utf-8").splitlines()
            control.write_text("".join(f"{'Version: ' + version if line.startswith('Version:') else line}\n" for line in lines), encoding="utf-8")
        if edit:
            edit(root)
            # What the fault touches no longer fits its checksum.
            (root / "DEBIAN/md5sums").unlink(missing_ok=True)
        pack(root, out)
