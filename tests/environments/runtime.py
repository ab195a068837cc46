#!/usr/bin/python3
"""runc or crun, by the last part of the name that this is called by. For a machine whose root lacks CAP_SYS_RESOURCE it takes
out what needs that. With `nvidia-` before, it stands for NVIDIA's runtime: who asks for GPUs gets the simulated library and
its state."""

import json
import os
import shutil
import sys
from pathlib import Path

HOST = "/run/nvml-sim"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def bind(source: str, destination: str, *options: str) -> dict:
    return {"destination": destination, "type": "bind", "source": source, "options": [*options, "bind"]}


def asks_for_gpus(variables: list[str]) -> bool:
    return any(one.startswith("NVIDIA_VISIBLE_DEVICES=") and one.partition("=")[2] not in ("", "void", "none") for one in variables)


def alter(file: Path, nvidia: bool):
    settings = json.loads(file.read_text(encoding="utf-8"))
    process = settings["process"]
    process.pop("oomScoreAdj", None)
    process.pop("rlimits", None)
    if nvidia and asks_for_gpus(process.get("env") or []):
        settings["mounts"] += [
            bind(f"{HOST}/libnvidia-ml.so.1", f"{LIBRARIES}/libnvidia-ml.so.1", "ro"),
            # Where the library looks by itself, so that what is run by exec needs no variable either.
            bind(f"{HOST}/state", "/tmp/nvml-sim.state", "rw"),
        ]
    file.write_text(json.dumps(settings), encoding="utf-8")


arguments = sys.argv[1:]
name = Path(sys.argv[0]).name
if "create" in arguments and "--bundle" in arguments:
    alter(Path(arguments[arguments.index("--bundle") + 1], "config.json"), name.startswith("nvidia-"))
runtime = name.rpartition("-")[2]
os.execv(shutil.which(runtime) or runtime, [runtime, *arguments])
