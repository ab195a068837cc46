"""Claims, each a function; planted faults, each with the claim that has to find it; and what is said of them, line by line."""

import subprocess
import time
import traceback
from dataclasses import dataclass
from typing import Callable


class Unexpected(Exception):
    """What was expected and what was seen."""


@dataclass
class Step:
    claim: str
    run: Callable[[], None]


@dataclass
class Fault:
    """What it is, how a copy of the tree gets it, and the name of the step that has to find it."""
    what: str
    plant: Callable
    step: str


STEPS: list[Step] = []


def step(claim: str):
    def add(function):
        STEPS.append(Step(claim, function))
        return function
    return add


def expect(is_so, expected, seen):
    if not is_so:
        raise Unexpected(f"expected {expected}; seen: {seen}")


def until(expected: str, seen: Callable, seconds=60.0, pause=0.25, told: Callable = lambda: "nothing of it"):
    """Waits for `seen` to be true and returns what it said; `told` is asked once, at the end, for what there is instead."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = seen()
        if found:
            return found
        time.sleep(pause)
    raise Unexpected(f"expected within {seconds:.0f} s: {expected}; seen: {told()}")


def sh(*command, check=True, timeout=600, environment=None, text=None):
    """A command's result; a failure is unexpected unless it is asked for."""
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, env=environment, timeout=timeout, check=False)
    if check and done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-800:]
        raise Unexpected(f"expected `{' '.join(map(str, command))[:200]}` to succeed; seen: exit code {done.returncode}, {said}")
    return done


def attempt(run: Callable[[], None]) -> str | None:
    """None, or what went wrong."""
    try:
        run()
    except Unexpected as unexpected:
        return str(unexpected)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, subprocess.SubprocessError):
        # A fault may leave the test itself nothing to hold on to.
        return traceback.format_exc(limit=-3)
    return None


def run(steps: list[Step], log: Callable[[], str]) -> int:
    """How many failed."""
    failures = 0
    for one in steps:
        began = time.monotonic()
        wrong = attempt(one.run)
        failures += wrong is not None
        took = f"({time.monotonic() - began:.0f} s)"
        print(f"ok      {one.claim} {took}" if wrong is None else f"FAIL    {one.claim} {took}: {wrong}", flush=True)
        if wrong is not None:
            for line in log().splitlines()[-25:]:
                print(f"        | {line}", flush=True)
    return failures


def look_for(faults: list[Fault], planted: Callable) -> int:
    """How many weren't found. `planted(fault)` is a context with the fault in place."""
    missed = 0
    for fault in faults:
        [one] = [one for one in STEPS if one.run.__name__ == fault.step]
        began = time.monotonic()
        with planted(fault):
            wrong = attempt(one.run)
        took = f"({time.monotonic() - began:.0f} s)"
        missed += wrong is None
        print(f"found   {fault.what} {took}: {' '.join(wrong.split())[:160]}" if wrong else f"MISSED  {fault.what} {took}", flush=True)
    return missed
