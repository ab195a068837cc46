"""What systemd does with the service: ends it, starts it anew, reloads it, watches it. All judged by the card."""

import os
import re
import signal
import time
from dataclasses import dataclass

import scene
from node import (CONFIG, JOURNALS, ORIGINAL, card, expect, limit, log, main_pid, metric, ready, set_flags, sh, state, systemctl,
                  throttled, unit, until, until_ready)
from steps import step
from watch import Watch

# What an operator accepts: seconds without a guard, °C over alert, seconds for a stopped process.
WITHOUT_GUARD = 5.0
OVER_ALERT = 1.5
STOPPED = 12.0
# As long as heat takes to show once a cap is gone.
AFTERMATH = 15



@dataclass
class Outcome:
    """How it went without a guard."""
    unguarded: float
    over_alert: float
    given_back: bool
    raised: bool


def in_a_hotter_room(end):
    """An end of the guard just when the air gets warmer."""
    def both():
        scene.hotter_room()
        end()
    return both


def without_guard(end, aftermath=AFTERMATH, ends=True) -> Outcome:
    """Ends the guard by `end` and watches until another is ready, and for a while after. Where nothing `ends`, that shows what the
    scene itself does."""
    alert = metric("thermal_guard_trip_celsius", 'trip="alert"') or 78.0
    before, watts = main_pid(), limit()
    with Watch() as watch:
        end()
        if ends:
            until("another guard, ready", lambda: main_pid() not in (0, before) and ready(0.5), 75)
        cautious = watch.now()
        time.sleep(aftermath)
    raised = any(seen["limit_watts"] > watts + 1 for at, seen in watch.cards if at < cautious)
    return Outcome(watch.unguarded(), watch.peak_die() - alert, watch.given_back(), raised)


def kill():
    os.kill(main_pid(), signal.SIGKILL)


def restart():
    systemctl("restart", "thermal-guard")


def judge(outcome: Outcome):
    expect(not outcome.raised and not outcome.given_back, "a limit that nobody raises before the next guard", outcome)
    expect(outcome.over_alert <= OVER_ALERT, f"at most {OVER_ALERT} °C over alert", outcome)
    expect(outcome.unguarded <= WITHOUT_GUARD, f"at most {WITHOUT_GUARD} s without a guard", outcome)


@step("kill -9 with a hot, capped GPU: stays capped, and the next guard goes on from the journal", fast=True)
def killed():
    scene.hot()
    outcome = without_guard(kill, 3)
    expect(not outcome.given_back and throttled(), "a limit that stays under the original", outcome)
    until("a throttle that goes on", lambda: state("gradual") or state("emergency"), 10)
    began_anew = metric("thermal_guard_throttle_events_total", 'trigger="local"', 'level="gradual"')
    expect(began_anew == 0, "the throttle of the guard before", f"{began_anew} new ones")


@step("kill -9 with a hot, capped GPU: within the bars", fast=True)
def killed_hot():
    scene.held()
    judge(without_guard(in_a_hotter_room(kill)))


@step("kill -9 with a GPU that is cool only by its cap: within the bars")
def killed_cool():
    scene.cool_by_its_cap()
    judge(without_guard(kill, 30))


@step("restart in mid-throttle: stays capped, and goes on", fast=True)
def restarted():
    scene.hot()
    outcome = without_guard(restart, 3)
    expect(not outcome.given_back and throttled(), "a limit that stays under the original", outcome)
    until("a throttle that goes on", lambda: state("gradual") or state("emergency"), 10)


@step("restart with a hot, capped GPU: within the bars")
def restarted_hot():
    scene.held()
    judge(without_guard(in_a_hotter_room(restart)))


@step("restart with a GPU that is cool only by its cap: within the bars")
def restarted_cool():
    scene.cool_by_its_cap()
    judge(without_guard(restart, 30))


@step("eight crashes in a row leave no node without a guard")
def crashes():
    scene.cool()
    for _ in range(8):
        before = main_pid()
        kill()
        until("another guard, ready", lambda: main_pid() not in (0, before) and ready(), 30)
    expect(unit("ActiveState") == "active", "an active unit", unit("ActiveState"))


def seconds(span: str) -> float:
    """Of systemd's "1min 30s"; 0 for "infinity" and nothing."""
    units = {"min": 60, "s": 1, "ms": 1e-3, "us": 1e-6}
    return sum(float(number) * units[one] for number, one in re.findall(r"([\d.]+)(min|ms|us|s)", span))


def stop():
    os.kill(main_pid(), signal.SIGSTOP)


@step("a stopped process is replaced by systemd's watchdog")
def watchdog():
    scene.hot()
    outcome = without_guard(stop, 5)
    expect(not outcome.given_back, "a limit that stays under the original", outcome)
    expect("watchdog" in log().lower(), "the watchdog's name in the unit's log", "none")


@step("the watchdog is at most ten seconds, and a stopped process is replaced in time")
def watchdog_in_time():
    scene.hot()
    told = seconds(unit("WatchdogUSec"))
    expect(0 < told <= 10, "WatchdogSec= of at most 10 s", f"{told} s")
    outcome = without_guard(stop, 5)
    expect(outcome.unguarded <= STOPPED, f"ready after at most {STOPPED} s", outcome)


@step("reload takes a new file over without a restart")
def reloaded():
    scene.hot()
    before = main_pid()
    CONFIG.write_text("thresholds: { alert: 76, critical: 84, safe: 70 }\n", encoding="utf-8")
    systemctl("reload", "thermal-guard")
    until("the new alert temperature", lambda: metric("thermal_guard_trip_celsius", 'trip="alert"') == 76, 10)
    expect(main_pid() == before and throttled(), "the same process, throttling", f"pid {main_pid()}, {limit()} W")


@step("a broken file keeps the old settings in force")
def reload_keeps():
    scene.hot()
    before = main_pid()
    CONFIG.write_text("thresholds: { alrt: 76 }\n", encoding="utf-8")
    systemctl("reload", "thermal-guard", check=False)
    until("a line about the mistake", lambda: "alrt" in log(), 10)
    expect(main_pid() == before and ready() and throttled(), "the same process, throttling", f"pid {main_pid()}, {limit()} W")
    expect(metric("thermal_guard_trip_celsius", 'trip="alert"') == 78, "the alert temperature of before", "another")


@step("reload of a broken file fails, with the reason")
def reload_tells():
    scene.cool()
    CONFIG.write_text("thresholds: { alrt: 76 }\n", encoding="utf-8")
    began = time.time()
    done = systemctl("reload", "thermal-guard", check=False)
    expect(done.returncode != 0, "a reload that fails", "exit code 0")
    expect("alrt" in log(began) and ready(), "the reason in the unit's log, and a guard", log(began)[-300:])


@step("a file that is broken at the start: exit code 78, a failed unit, the reason in the log; mended, it starts")
def broken():
    scene.nothing()
    CONFIG.write_text("thresholds: { alrt: 76 }\n", encoding="utf-8")
    systemctl("start", "thermal-guard", check=False)
    until("a failed unit", lambda: unit("ActiveState") == "failed", 15)
    expect(unit("ExecMainStatus") == "78" and "alrt" in log(), "78 and the reason", f"{unit('ExecMainStatus')}, {log()[-300:]}")
    sh("cp", "/t/package.yml", str(CONFIG))
    scene.start()


@step("a manual throttle and a pause outlive a restart, with the time that is left")
def leases():
    scene.cool()
    sh("thermal-guard", "throttle", "--gpu", "0", "--level", "gradual", "--for", "10m")
    until("a lowered limit", throttled, 10)
    restart()
    until_ready()
    time.sleep(2)
    expect(metric("thermal_guard_throttle_level", 'source="manual"') == 1, "the manual throttle", "none")
    expect(throttled() and card()["limit_watts"] != ORIGINAL, "a lowered limit", f"{limit()} W")


@step("a restart with a bad flag while throttled and cool: no guard follows, and the cap is given back", fast=True)
def restarted_with_a_bad_flag():
    scene.cool()
    sh("thermal-guard", "throttle", "--gpu", "0", "--level", "gradual", "--for", "10m")
    until("a lowered limit", throttled, 10)
    began = time.time()
    set_flags('ARGS="--no-such-flag"')
    systemctl("restart", "thermal-guard", check=False)
    until("a failed unit", lambda: unit("ActiveState") == "failed", 45)
    expect(unit("ExecMainStatus") == "2", "exit code 2", unit("ExecMainStatus"))
    expect(limit() == ORIGINAL, f"{ORIGINAL} W", f"{limit()} W: {log(began)[-400:]}")
    expect(not list(JOURNALS.glob("*.json")), "no journal", list(JOURNALS.glob("*.json")))
