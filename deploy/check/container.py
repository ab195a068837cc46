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
if copied != allowed:
    sys.exit(f"{FILE}.dockerignore lets in {allowed}, the Containerfile copies {copied}")
