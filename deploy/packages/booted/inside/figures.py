"""What passes without a guard, measured at the pace of the real world, in lines that begin with `measured:`."""

import life
import scene
import service
from node import Unexpected, metric, until
from service import Outcome, without_guard

HELD, COOL = "a hot GPU that is capped, in a room that gets hotter", "a loaded GPU that is cool only by its cap"
NEWLY = "a GPU that was capped three seconds ago, and overshoots"
packages = [life.NOW, life.NEXT]


def upgrade():
    """To the other version than the one that is there."""
    packages.reverse()
    life.install(packages[0])


ENDS = [("kill -9", service.kill), ("restart", service.restart), ("upgrade", upgrade)]
# Until the heat of a cap that was given back has come and gone.
AFTERMATH = 40


def line(what: str, outcome: Outcome, capped=True):
    raised = "was given back" if outcome.given_back else "was raised" if outcome.raised else "stayed"
    cap = f"the cap {raised}" if capped else "no cap was there"
    print(f"measured: {what}: {outcome.unguarded:.1f} s without a guard, die {outcome.over_alert:+.1f} °C over alert, {cap}", flush=True)


def uncapped_and_warm():
    """Just under alert, at full load, nothing taken from it yet: the worst moment to stop."""
    scene.nothing()
    scene.heated(74)
    scene.start()
    until("a die near alert", lambda: metric("thermal_guard_gpu_temperature_celsius") >= 76, 30)


def measure(names) -> int:
    failures = 0
    tries = [(f"nothing ends, {HELD}", scene.held, scene.hotter_room), (f"nothing ends, {NEWLY}", scene.hot, lambda: None)]
    for end, run in ENDS:
        tries += [(f"{end}, {HELD}", scene.held, service.in_a_hotter_room(run)), (f"{end}, {COOL}", scene.cool_by_its_cap, run)]
    tries += [("SIGSTOP, a warm GPU, uncapped", uncapped_and_warm, service.stop),
              (f"SIGSTOP, {HELD}", scene.held, service.in_a_hotter_room(service.stop)), (f"SIGSTOP, {NEWLY}", scene.hot, service.stop)]
    for what, prepare, run in tries:
        if names and not any(name in what for name in names):
            continue
        try:
            prepare()
            line(what, without_guard(run, AFTERMATH, ends=not what.startswith("nothing")), capped="uncapped" not in what)
        except Unexpected as unexpected:
            failures += 1
            print(f"measured: {what}: failed, {unexpected}", flush=True)
    return failures
