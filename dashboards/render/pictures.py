"""Draws the pictures of the dashboards: half an hour on six simulated nodes, at real speed.

    pictures.py OUT_FOLDER

Real speed, because what the driver counts in seconds would otherwise be more than a second a second.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "check"))
from rig import Rig  # noqa: E402  (after the path is known)

NODES = {
    "node1:10835": ["a100-80gb", "a100-80gb", "l40s", "h100"],
    "node2:10835": ["h100"] * 4,
    "node3:10835": ["l40s"] * 4,
    "node4:10835": ["a100-40gb"] * 4,
    "node5:10835": ["h200"] * 4,
    "node6:10835": ["rtx-4090"] * 2,
}
MINUTES = 26


def story(rig):
    """What happens, by the minute."""
    one, two, three, four, five, six = rig.nodes.values()
    return [
        (0, lambda: five.control("fault", "--gpu", 2, "no-permission")),
        (2, lambda: one.control("set", "--gpu", 0, "load=1", "inlet=34")),
        (3, lambda: two.control("set", "--gpu", 1, "load=1", "inlet=36")),
        (5, lambda: one.hook("ThermalGuardGpuHeatingTowardsAlertTrip", "gradual", gpu="2")),
        (6, four.silenced.set),
        (7, lambda: one.control("set", "--gpu", 0, "inlet=22")),
        (8, lambda: one.control("set", "--gpu", 1, "load=1", "inlet=26", "airflow=2.6")),
        (8, lambda: five.control("set", "--gpu", 2, "load=1", "inlet=40")),
        (10, lambda: one.lease(3, "gradual", "3m")),
        (10, lambda: three.control("fault", "--gpu", 3, "lost")),
        (11, lambda: one.control("set", "--gpu", 1, "inlet=24", "airflow=1.25")),
        (12, lambda: one.control("xid", "--gpu", 2, 94)),
        (12, six.guard.stop),
        (13, one.silenced.set),
        (15, one.beat),
        (16, lambda: one.control("set", "--gpu", 0, "inlet=35")),
        (17, lambda: two.control("set", "--gpu", 3, "load=1", "inlet=33")),
        (19, lambda: one.control("fault", "--gpu", 3, "failing-reads")),
        (20, lambda: one.control("fault", "--gpu", 3, "none")),
    ]


def warm_up(rig):
    """Different loads and air, as after a quarter of an hour at work."""
    for number, (instance, node) in enumerate(rig.nodes.items(), start=1):
        for gpu in range(len(NODES[instance])):
            load = 0.55 + 0.1 * ((number + 3 * gpu) % 5)
            inlet = 20 + (3 * number + 2 * gpu) % 7
            node.control("set", "--gpu", gpu, f"load={load}", f"inlet={inlet}")
        node.control("advance", 900)


def live(rig):
    """Lives through the story; returns when it began."""
    for node in rig.nodes.values():
        node.beat()
    began = time.time()
    for minute, happens in [*story(rig), (MINUTES, lambda: None)]:
        time.sleep(max(0, began + 60 * minute - time.time()))
        print(f"minute {minute}", flush=True)
        happens()
    return began


def main():
    (out,) = sys.argv[1:]
    out = pathlib.Path(out).resolve()
    with tempfile.TemporaryDirectory(prefix="dashboards-") as directory:
        rig = Rig(pathlib.Path(directory), 1, NODES, scrape_interval="5s")
        warm_up(rig)
        with rig:
            # The first minute has no rates yet.
            since = int(live(rig)) + 60
            command = ["node", "render.mjs", rig.prometheus.url, since, int(time.time()), out]
            environment = {"INSTANCE": "node1:10835", "ROWS": "Now,GPU 1", **os.environ}
            subprocess.run(list(map(str, command)), cwd=HERE, check=True, env=environment)


if __name__ == "__main__":
    main()
