"""Prometheus and Alertmanager of several ages, each pair in a folder by the names that the tests start them by. Nothing is
installed: Debian's are downloaded and unpacked, the newest are those that kubernetes/build.sh makes."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from alone import Unable

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR = "http://deb.debian.org/debian"
NAMES = {"prometheus": "prometheus", "promtool": "promtool", "alertmanager": "prometheus-alertmanager", "amtool": "amtool"}


@dataclass
class Pair:
    """`key`: its part of the names of the steps."""
    key: str
    folder: Path

    def __call__(self, name: str) -> Path:
        return self.folder / NAMES.get(name, name)

    def environment(self) -> dict[str, str]:
        """These before all others of their name, and none of them missing."""
        return {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "THERMAL_GUARD_TEST_REQUIRE": "all"}

    def version(self, name: str) -> tuple[int, ...]:
        said = subprocess.run([self(name), "--version"], capture_output=True, text=True, check=True)
        found = re.search(r"version v?(\d+)\.(\d+)", said.stdout + said.stderr)
        return tuple(map(int, found.groups())) if found else ()

    def __str__(self):
        return " and ".join(f"{name.title()} {'.'.join(map(str, self.version(name)))}" for name in ("prometheus", "alertmanager"))


def debs(release: str, packages: list[str], folder: Path) -> Path:
    """The root of these packages, unpacked: by an apt with lists of its own."""
    root = folder / release
    if (root / "done").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    for part in ("lists/partial", "cache/archives/partial", "debs"):
        (root / part).mkdir(parents=True)
    (root / "sources.list").write_text(f"deb [arch=amd64 signed-by={KEYRING}] {MIRROR} {release} main\n", encoding="utf-8")
    (root / "status").touch()
    settings = {"Dir::Etc::SourceList": root / "sources.list", "Dir::Etc::SourceParts": "/dev/null", "Dir::State": root, "Dir::State::Lists": root / "lists",
                "Dir::State::Status": root / "status", "Dir::Cache": root / "cache", "APT::Sandbox::User": "root", "Acquire::Languages": "none"}
    apt = ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in settings.items())]
    for command in ([*apt, "update"], [*apt, "download", *packages], ["sh", "-c", 'for deb in *.deb; do dpkg-deb --extract "$deb" ..; done']):
        done = subprocess.run(command, cwd=root / "debs", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unable(f"nothing of Debian {release} (is there a network?): {done.stderr.strip()[-300:]}")
    for part in ("lists", "cache", "debs"):
        shutil.rmtree(root / part)
    (root / "done").touch()
    return root


def pair(key: str, folder: Path, found: dict[str, Path]) -> Pair:
    links = folder / f"bin-{key}"
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir(parents=True)
    for name, program in found.items():
        if not program.exists():
            raise Unable(f"missing: {program}")
        (links / name).symlink_to(program)
    return Pair(key, links)


def of_debian(key: str, release: str, packages: str, folder: Path) -> Pair:
    root = debs(release, packages.split(), folder)
    template = Path("/usr/share/prometheus/alertmanager/default.tmpl")
    if not template.exists():
        # Debian's Alertmanager reads it there. Every version takes every version's.
        raise Unable(f"missing: {template} (prometheus-alertmanager)")
    programs = [*NAMES.values(), "victoria-metrics", "vmalert", "vmalert-tool"]
    return pair(key, folder, {name: root / "usr/bin" / name for name in programs if (root / "usr/bin" / name).exists()})


def newest(folder: Path, built: Path) -> Pair:
    return pair("newest", folder, {name: built / program for program, name in NAMES.items()})
