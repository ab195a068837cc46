"""Images without a registry: each one program that needs no library, under the name that the manifests ask for."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

USERS = b"root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"
PAUSE = b"""
#include <signal.h>
#include <unistd.h>
static void end(int signal) { _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
"""
NAMES = {
    "quay.io/prometheus/prometheus:v3.16.0": "prometheus",
    "quay.io/prometheus/alertmanager:v0.35.0": "alertmanager",
    "quay.io/prometheus-operator/prometheus-operator:v0.85.0": "operator",
    "quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0": "prometheus-config-reloader",
}


def add(archive: tarfile.TarFile, name: str, content: bytes, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def layer(program: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for folder in ("bin", "etc", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        add(archive, "etc/passwd", USERS)
        add(archive, f"bin/{program.name}", program.read_bytes(), 0o755)
    return packed.getvalue()


def write(program: Path, name: str, out: Path):
    """What `docker save` writes: one layer, its settings, and a manifest."""
    content = layer(program)
    settings = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": [f"/bin/{program.name}"], "User": "65534"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]}}).encode()
    manifest = [{"Config": "settings.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(out, "w") as archive:
        add(archive, "manifest.json", json.dumps(manifest).encode())
        add(archive, "settings.json", settings)
        add(archive, "layer.tar", content)


def load(node):
    """Those of NAMES and the pause image, into the node's containerd."""
    pause = node.folder / "pause"
    subprocess.run(["cc", "-x", "c", "-", "-O1", "-static", "-o", pause], input=PAUSE, check=True)
    archive = node.folder / "image.tar"
    for name, program in [("localhost/pause:1", pause), *((name, node.programs / program) for name, program in NAMES.items())]:
        write(program, name, archive)
        node.ctr("images", "import", archive)
    archive.unlink()
