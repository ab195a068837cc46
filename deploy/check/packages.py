"""What the packages' metadata names exists, all three install the same files, nothing of NVIDIA's is asked for, what a person at
a node wants is there, and the commands in their scripts are commands."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import tomllib

GUARD = os.environ["GUARD"]
# Below /usr/share/doc/thermal-guard: what a person at a node without a network reads and copies.
AT_HAND = [
    "README.md", "README.zh-CN.md", "CHANGELOG.md", "SECURITY.md", "docs/runbook.md", "docs/troubleshooting.md", "docs/configuration.md",
    "docs/operating.md", "docs/alerting.md",
    "examples/observe.conf", "examples/alerts/thermal-guard.rules.yml", "examples/dashboards/thermal.json",
    "examples/gradio/thermal_mode.py", "examples/gradio/thermal-guard.yml", "examples/node-problem-detector/thermal-guard.json",
]
# Where a package manager wants them elsewhere.
SAME = {"/usr/share/zsh/site-functions/": "/usr/share/zsh/vendor-completions/"}


def made_by_a_build(source):
    return source.startswith("target/")


def installed(assets):
    """Every file's place, without its documentation and with folders for names."""
    places = set()
    for source, place in assets:
        if not made_by_a_build(source) and not glob.glob(source):
            sys.exit(f"Cargo.toml: {source} doesn't exist")
        place = "/" + place.lstrip("/")
        if place.endswith("/") and "*" not in source:
            place += os.path.basename(source)
        for theirs, ours in SAME.items():
            place = place.replace(theirs, ours)
        if not place.startswith("/usr/share/doc/"):
            places.add(place)
    return places


def documents(assets):
    """What lies below the folder for documents."""
    found = set()
    for source, place in assets:
        for path in glob.glob(source):
            whole = "/" + place.lstrip("/") + (os.path.basename(path) if place.endswith("/") else "")
            found.add(whole.removeprefix("/usr/share/doc/thermal-guard/"))
    return found


with open("Cargo.toml", "rb") as manifest:
    metadata = tomllib.load(manifest)["package"]["metadata"]
# A package manager that brings NVIDIA's packages along may remove a driver that came otherwise.
deb_metadata, rpm_metadata = metadata["deb"], metadata["generate-rpm"]
brought = [deb_metadata.get(kind) for kind in ("depends", "pre-depends", "recommends")]
brought += [rpm_metadata.get(kind) for kind in ("requires", "recommends", "auto-req")]
if brought != ["libc6 (>= 2.28)", None, None, {"glibc": ">= 2.28"}, None, "disabled"]:
    sys.exit(f"the packages bring more than themselves: {brought}")
deb_assets = [(source, place) for source, place, _ in metadata["deb"]["assets"]]
rpm_assets = [(asset["source"], asset["dest"]) for asset in metadata["generate-rpm"]["assets"]]
for kind, assets in [(".deb", deb_assets), (".rpm", rpm_assets)]:
    missing = sorted(set(AT_HAND) - documents(assets))
    if missing:
        sys.exit(f"the {kind} lacks {missing}")
deb, rpm = installed(deb_assets), installed(rpm_assets)
if deb != rpm:
    sys.exit(f".deb and .rpm differ: {sorted(deb ^ rpm)}")

with tempfile.TemporaryDirectory() as scratch:
    unpacked, root = f"{scratch}/unpacked", f"{scratch}/root"
    for folder in ("man", "completions", "scripts"):
        os.makedirs(f"{unpacked}/{folder}")
    for name in ("thermal-guard", "man/thermal-guard.1", "man/thermal-guard.yml.5", "completions/thermal-guard.bash",
                 "completions/_thermal-guard", "completions/thermal-guard.fish",
                 "scripts/thermal-guard-health", "scripts/thermal-guard-slurm-health", "scripts/thermal-guard-slurm-prolog"):
        with open(f"{unpacked}/{name}", "w", encoding="utf-8") as file:
            file.write("exit 1\n")
    files = [*glob.glob("deploy/systemd/thermal-guard.*"), "deploy/thermal-guard.example.yml", "deploy/packages/install.sh"]
    subprocess.run(["cp", *files, unpacked], check=True)
    environment = {**os.environ, "DESTDIR": root}
    subprocess.run([f"{unpacked}/install.sh"], check=True, env=environment, stdout=subprocess.DEVNULL)
    found = {path[len(root):] for path in glob.glob(f"{root}/**", recursive=True) if os.path.isfile(path)}
    # A program that fails: with DESTDIR the GPUs of this machine aren't that installation's.
    subprocess.run([f"{unpacked}/install.sh", "--remove"], check=True, env=environment, stdout=subprocess.DEVNULL)
    if os.path.exists(f"{root}/usr/bin/thermal-guard"):
        sys.exit("install.sh --remove left the program")
    by_hand = {re.sub(r"/man([15])/.*", r"/man\1/", path) for path in found}
if by_hand != deb:
    sys.exit(f"install.sh and the packages differ: {sorted(by_hand ^ deb)}")



def purged(journals, boot):
    """What a purge leaves of these journals of a boot, and what it says."""
    with tempfile.TemporaryDirectory() as scratch, open("deploy/packages/debian/postrm", encoding="utf-8") as file:
        script = re.sub(r"(?<![\w$])/(var|run|etc)/", rf"{scratch}/\1/", file.read())
        for journal in [*journals, "run/thermal-guard/GPU-1.lock", "var/lib/thermal-guard/hook-token"]:
            path = f"{scratch}/{journal}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(f'{{"boot_id": "{boot}", "limit": {{"original_milliwatts": 392500}}}}')
        said = subprocess.run(["sh", "-c", script, "postrm", "purge"], capture_output=True, text=True, check=False)
        left = {path[len(scratch) + 1:] for path in glob.glob(f"{scratch}/**", recursive=True, include_hidden=True) if os.path.isfile(path)}
    if said.returncode != 0:
        sys.exit(f"postrm purge: {said.stderr}")
    return left, said.stderr


with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
    THIS_BOOT = file.read().strip()
# The spare journal of a state directory that took none is kept like that directory's own.
STATE, SPARE = "var/lib/thermal-guard/gpus", "run/thermal-guard/gpus"
for held in ({f"{STATE}/GPU-1.json"}, {f"{SPARE}/GPU-1.json"}, {f"{SPARE}/.GPU-1.json.thermal-guard"}, {f"{STATE}/GPU-1.json", f"{SPARE}/GPU-1.json"}):
    left, said = purged(held, THIS_BOOT)
    if left != held or said.count("--id=GPU-1 --power-limit=392.500") != 1 or not all(f"/{journal}" in said for journal in held):
        sys.exit(f"a purge left {sorted(left)} of {sorted(held)} and said: {said}")
    left, said = purged(held, "another")
    if left or said:
        sys.exit(f"a purge left {sorted(left)} of an earlier boot and said: {said}")

for script in [*glob.glob("deploy/packages/debian/*"), *glob.glob("deploy/packages/rpm/*"), "deploy/packages/install.sh"]:
    with open(script, encoding="utf-8") as file:
        lines = [line for line in file if not line.lstrip().startswith(("#", "echo"))]
    text = "".join(lines)
    for command in re.findall(r"(?<![\w/.-])(?:/usr/bin/)?thermal-guard ([a-z]+(?: --[a-z]+ \w+)*)", text):
        said = subprocess.run([GUARD, *command.split(), "--help"], capture_output=True, text=True, check=False)
        if said.returncode != 0:
            sys.exit(f"{script}: thermal-guard {command}: {said.stderr}")
