"""What happens to the GPUs while the dashboards are tried: all that they have a panel for.

A node that is well, one that isn't, and one whose guard goes silent. Among their cards are one with
a memory sensor and no margin of its own (A100), one the other way round (L40S), and one with both
(H100). The silent one has fans, and acts at a target of its own (RTX 3090).
"""

import contextlib
import urllib.error
import urllib.request

from rig import Rig

# Fast enough for half an hour of heat in a minute, slow enough for a debug build on two cores.
TIME_SCALE = 20
WELL, SICK, SILENT = "node1:10835", "node2:10835", "node3:10835"
CARDS = ["a100-80gb", "l40s", "h100"]


def rig(directory):
    # A short hold, so that an alert outlives it and the guard says so.
    nodes = {WELL: CARDS, SICK: CARDS, SILENT: ["rtx-3090"]}
    return Rig(directory, TIME_SCALE, nodes, hook="{ max_hold: 5s }")


class Story:
    def __init__(self, rig):
        self.well, self.sick, self.silent = (rig.nodes[name] for name in (WELL, SICK, SILENT))
        self.round = 0

    def begin(self):
        for node in (self.well, self.sick):
            node.control("set", "load=1")
        # So hot that not even the lowest limit helps.
        self.well.control("set", "--gpu", 0, "inlet=75")
        self.well.beat()
        self.well.control("xid", "--gpu", 2, 94)
        self.sick.control("set", "--gpu", 0, "inlet=60")
        self.sick.control("fault", "--gpu", 0, "no-permission")
        self.sick.control("fault", "--gpu", 1, "lost")
        self.sick.control("fault", "--gpu", 2, "failing-reads")
        # One heartbeat, and never another: the chain was there and is broken.
        self.sick.hook("ThermalGuardHeartbeat", "heartbeat")

    def go_on(self):
        """Once a second or so."""
        self.round += 1
        # Somebody else keeps raising what the guard has lowered, each time to something new.
        self.well.control("limit", "--gpu", 0, 300 + 10 * (self.round % 2))
        self.well.hook("ThermalGuardGpuHeatingTowardsAlertTrip", "gradual", gpu="2")
        if self.round == 2:
            self.well.lease(1, "gradual", "30s")
            self.wrong_token()
            self.silent.control("fault", "--gpu", 0, "hang")
        if self.round == 6:
            self.well.post("/api/v1/pauses", {"gpu": 1, "for": "1m"})
        if self.round == 12:
            self.silent.guard.stop()

    def wrong_token(self):
        request = urllib.request.Request(
            f"{self.well.guard.url}/hook", b"{}", {"Authorization": f"Bearer {'x' * 40}"}
        )
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=5).close()
