"""The image's commands are commands of the program, its files come from what is built, and without asking it is nobody."""

import json
import os
import re
import subprocess
import sys

FILE = "deploy/container/Containerfile"

with open(FILE, encoding="utf-8") as file:
    text = re.sub(r"\\\n", " ", file.read())
lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]


def last(instruction):
    return [rest for name, rest in lines if name == instruction][-1]


def run(*command):
    said = subprocess.run([os.environ["GUARD"], *command, "--help"], capture_output=True, text=True, check=False)
    if said.returncode != 0:
        sys.exit(f"{FILE}: {command}: {said.stderr}")


# Bases are arguments, so that a site can name its own; those that are named here have a tag, and not the one that moves.
bases = dict(rest.split("=", 1) for name, rest in lines if name == "ARG" and "=" in rest)
for rest in (rest for name, rest in lines if name == "FROM"):
    [argument] = re.findall(r"\$(TOOLS|BASE)\b", rest)
    if not re.search(r":(?!latest$)[\w.-]+$", bases[argument]):
        sys.exit(f"{FILE}: {argument}={bases[argument]} isn't pinned")

health = json.loads(last("HEALTHCHECK").split("CMD ", 1)[1])
if json.loads(last("ENTRYPOINT")) != health[:1]:
    sys.exit(f"{FILE}: another program for HEALTHCHECK than for ENTRYPOINT")
run(*health[1:])
run(*json.loads(last("CMD")))
if last("USER").split(":")[0] in ("0", "root"):
    sys.exit(f"{FILE}: root by default")

with open(f"{FILE}.dockerignore", encoding="utf-8") as file:
    allowed = {line.strip()[1:] for line in file if line.startswith("!")}
copied = {rest.split()[0] for name, rest in lines if name == "COPY" and not rest.startswith("--from")}
# One package of several, by its architecture: the name that cargo-deb gives it.
of_architecture = "target/packages/thermal-guard_*_${TARGETARCH}.deb"
if of_architecture not in copied:
    sys.exit(f"{FILE}: copies {copied}, not the package of the image's architecture")
copied = {source.replace(of_architecture, "target/packages/*.deb") for source in copied}
if copied != allowed:
    sys.exit(f"{FILE}.dockerignore lets in {allowed}, the Containerfile copies {copied}")
