"""Tells the story: heat, alert, hook, throttle, cool, resolved, restored; then the same without
Alertmanager. Each step has a deadline: the demo fails if the guard doesn't do what it says."""

import pathlib
import shutil
import signal
import sys
import tempfile
import time

from exposition import Exposition
from processes import Chain, DemoFailed, Machine, fetch

# Five times faster than real, so that the sink's minute is 12 s. Prometheus and Alertmanager run at
# their shipped pace: their second is five of the GPU's.
TIME_SCALE = 5
COOL_INLET, HOT_INLET = 20, 33
# Generous for two busy cores; each step takes a fraction of it.
LIMIT_SECONDS = 90


class Story:
    def __init__(self, chain, machine):
        self.chain = chain
        self.machine = machine
        self.seen = {}
        self.started = time.monotonic()
        self.last_temperature = 0.0

    def say(self, text):
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def headline(self, text):
        print(f"\n== {text}", flush=True)

    def look(self):
        """What the guard and Prometheus say now; prints what changed, the temperature every 3 s."""
        metrics = Exposition(fetch(f"{self.chain.guard.url}/metrics"))
        gpu = {"gpu": "0"}
        now = {
            "alert": ", ".join(self.chain.firing()) or "none",
            "lease": "held" if metrics.value("leases", **gpu) else "none",
            "state": metrics.active("state", "state", **gpu),
            "limit": metrics.value("gpu_power_limit_watts", **gpu),
            "chain": metrics.active("chain_state", "state"),
            "fallback": metrics.value("fallback_active"),
            "temperature": metrics.value("gpu_temperature_celsius", **gpu),
            "margin": metrics.value("margin_to_alert_celsius", **gpu),
            "by": {
                trigger: metrics.value("throttle_events_total", trigger=trigger, **gpu) or 0
                for trigger in ("alert", "local", "fallback")
            },
        }
        self.tell(now)
        return now

    TEXTS = {
        "alert": "Prometheus     firing for GPU 0: {}",
        "lease": "hook           lease from an alert: {}",
        "state": "guard          state of GPU 0: {}",
        "limit": "guard          power limit of GPU 0: {:.0f} W",
        "chain": "guard          alert chain: {}",
        "fallback": "guard          fallback_active: {:.0f}",
    }

    def tell(self, now):
        for key, text in self.TEXTS.items():
            if now[key] is not None and now[key] != self.seen.get(key):
                self.say(text.format(now[key]))
        if time.monotonic() - self.last_temperature > 3 and now["temperature"] is not None:
            self.say(f"               GPU 0 is at {now['temperature']:.0f} °C, "
                     f"{now['margin']:.0f} °C to its alert trip")
            self.last_temperature = time.monotonic()
        self.seen = now

    def until(self, what, condition):
        """Watches until `condition` holds of what is seen; fails when it doesn't in time."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition(self.look()):
            if time.monotonic() > deadline:
                raise DemoFailed(f"waited {LIMIT_SECONDS} s in vain: {what}\n"
                                 f"the guard's last words:\n{self.chain.guard.last_words()}")
            time.sleep(0.2)
        self.say(f"---> {what}")

    def for_seconds(self, seconds, what, condition):
        """Watches that `condition` holds all the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not condition(self.look()):
                raise DemoFailed(f"not so: {what}")
            time.sleep(0.2)
        self.say(f"---> {what}")

    def inlet(self, celsius, text):
        self.machine.control("set", "--gpu", 0, f"inlet={celsius}")
        self.say(f"===> {text} (inlet air {celsius} °C)")


def heat_and_cool(story, trigger, alerts):
    """One episode; `trigger` is what the guard must give as the cause of the throttle."""
    limit = story.look()["limit"]
    before = story.seen["by"]
    story.inlet(HOT_INLET, "the air that cools GPU 0 turns warm")
    if alerts:
        story.until("the alert fires", lambda now: now["alert"] != "none")
        story.until("the hook has it", lambda now: now["lease"] == "held")
    story.until("GPU 0 is throttled", lambda now: now["state"] in ("gradual", "emergency"))
    story.until(
        f"by trigger {trigger}, and by no other",
        lambda now: {key for key in before if now["by"][key] > before[key]} == {trigger},
    )
    story.until("the power limit is lower", lambda now: now["limit"] < limit)
    story.for_seconds(
        10, "GPU 0 is held within a degree of its alert trip", lambda now: now["margin"] >= -1
    )
    story.inlet(COOL_INLET, "the cooling is repaired")
    story.until("resolved", lambda now: now["alert"] == "none")
    if alerts:
        story.until("the lease is gone", lambda now: now["lease"] == "none")
    story.until(
        "restored: the power limit is what it was",
        lambda now: now["state"] == "normal" and now["limit"] == limit,
    )


def tell(story, chain, machine):
    story.headline("The chain")
    for program in (chain.guard, chain.prometheus, chain.alertmanager):
        story.say(f"{program.name:14} {program.url}")
    story.say(f"look at        {chain.guard.url}/  {chain.prometheus.url}/alerts  "
              f"{chain.alertmanager.url}/#/alerts")
    story.until("the heartbeat came through: the chain is ok", lambda now: now["chain"] == "ok")

    story.headline("A GPU gets hot: the alert leads")
    heat_and_cool(story, "alert", alerts=True)

    story.headline("Alertmanager stops: the guard notices")
    chain.alertmanager.stop()
    story.until("fallback is active", lambda now: now["fallback"] == 1)

    story.headline("The GPU gets hot again, and nobody calls")
    heat_and_cool(story, "fallback", alerts=False)

    story.headline("Alertmanager is back")
    chain.alertmanager.start()
    story.until(
        "the chain is ok", lambda now: now["chain"] == "ok" and now["fallback"] == 0
    )
    neighbour = machine.gpus()[1]
    if neighbour["limit_writes"] != 0:
        raise DemoFailed("GPU 1 was written to although it stayed cool")
    story.say("GPU 1 stayed cool and was never written to")


def main():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="thermal-guard-demo-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = Machine(directory)
    machine.control("create", "--gpu", "a100-80gb", "--gpu", "l40s",
                    "--time-scale", TIME_SCALE, "--inlet", COOL_INLET)
    machine.control("set", "load=1")
    machine.control("advance", 900)  # warm, as after a quarter of an hour at work
    chain = Chain(directory, machine, TIME_SCALE)
    try:
        limits = [gpu["limit_watts"] for gpu in machine.gpus()]
        chain.start()
        tell(Story(chain, machine), chain, machine)
        chain.stop()
        if [gpu["limit_watts"] for gpu in machine.gpus()] != limits:
            raise DemoFailed("a power limit is not what it was before the guard started")
        print("\nAll power limits are what they were before the guard started.")
    except (DemoFailed, OSError) as failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 130
    finally:
        chain.stop()
        shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
