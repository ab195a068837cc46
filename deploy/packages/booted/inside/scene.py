"""How a step begins: a card in a known condition, and a guard that has just met it."""

import shutil
import time

from node import CONFIG, DROP_INS, ORIGINAL, card, limit, set_flags, sh, sim, systemctl, throttled, until, until_ready

HEAT = ("load=1", "inlet=38", "airflow=1.6")


def nothing():
    """No guard, no trace of one, the package's own settings, and a card that nobody has touched."""
    sim("create", "--gpu", "a100-80gb")
    # Cool, so that a stop has nothing to wait for.
    systemctl("stop", "thermal-guard", check=False)
    systemctl("reset-failed", "thermal-guard", check=False)
    for place in ("/var/lib/thermal-guard", "/var/lib/private/thermal-guard", "/run/thermal-guard", DROP_INS):
        shutil.rmtree(place, ignore_errors=True)
    # As a symbolic link, where an observing guard had it.
    sh("rm", "-rf", "/var/lib/thermal-guard")
    systemctl("daemon-reload")
    set_flags('ARGS=""')
    shutil.copy("/t/package.yml", CONFIG)
    sim("create", "--gpu", "a100-80gb")
    sim("limit", ORIGINAL)


def start():
    systemctl("start", "thermal-guard")
    until_ready()


def heated(die=77.5, heat=HEAT):
    """Load in a hot room, with the die just there; nothing is running yet."""
    sim("set", *heat)
    for _ in range(200):
        if card()["die"] >= die:
            return
        sim("advance", 2)


def hot():
    """A guard that holds a hot card by its cap: the card is over safe, and would be far over alert without."""
    nothing()
    heated()
    start()
    until("a limit under the original on a hot card", throttled)
    time.sleep(3)


def held():
    """A guard that has held a hot card for a while, so that what comes next is not its own first overshoot."""
    nothing()
    heated(76.5, ("load=0.8", *HEAT[1:]))
    start()
    until("a limit under the original on a hot card", throttled, 60)
    time.sleep(12)


def hotter_room():
    """What no cap of before is enough for: the air gets warmer just when nobody looks."""
    sim("set", "inlet=45", "load=1")


def cool_by_its_cap():
    """A guard that holds a loaded card under safe by an emergency: it is cool only as long as the cap is there, and its sink is
    as warm as after hours just under alert."""
    nothing()
    sim("set", *HEAT)
    sim("limit", 200)
    sim("advance", 1200)
    sim("limit", ORIGINAL)
    start()
    sh("thermal-guard", "throttle", "--gpu", "0", "--level", "emergency", "--for", "10m")
    until("the minimum limit", lambda: limit() < 101)
    until("a die at or under safe", lambda: card()["die"] <= 71.8, 120)


def cool():
    """A guard beside a cool card that idles."""
    nothing()
    start()


def relieved():
    """The load ends and the room is cold: a minute is enough for the card."""
    sim("set", "load=0", "inlet=15", "airflow=0.5")
    sim("advance", 120)
