"""The list of steps and what is said of each: one line, and after a failure what was expected and what was seen."""

import subprocess
import time
import traceback
from dataclasses import dataclass
from typing import Callable

from node import Unexpected, log


@dataclass
class Step:
    """One claim about the package on a booted system."""
    claim: str
    run: Callable[[], None]
    fast: bool
    # Why it can't hold yet. Such a step is run like any other, and one that holds is a mistake here.
    pending: str | None


STEPS: list[Step] = []


def step(claim: str, fast=False, pending: str | None = None):
    """Marks a function as a step. `fast` ones are run by `make test`, too."""
    def add(function):
        STEPS.append(Step(claim, function, fast, pending))
        return function
    return add


def attempt(one: Step) -> str | None:
    """None, or what went wrong."""
    try:
        one.run()
    except Unexpected as unexpected:
        return str(unexpected)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, subprocess.SubprocessError):
        # A fault may leave the test itself nothing to hold on to.
        return traceback.format_exc(limit=-3)
    return None


def run(steps: list[Step]) -> int:
    """How many failed."""
    failures = 0
    for one in steps:
        began, since = time.monotonic(), time.time()
        wrong = attempt(one)
        took = f"({time.monotonic() - began:.0f} s)"
        if wrong is None and one.pending is None:
            print(f"ok      {one.claim} {took}", flush=True)
        elif wrong is None:
            failures += 1
            print(f"FAIL    {one.claim}: it holds now; take `pending` away ({one.pending})", flush=True)
        elif one.pending is not None:
            print(f"pending {one.claim} {took}: {one.pending}; {wrong}", flush=True)
        else:
            failures += 1
            print(f"FAIL    {one.claim} {took}: {wrong}", flush=True)
            for line in log(since).splitlines()[-15:]:
                print(f"        | {line}", flush=True)
    return failures
