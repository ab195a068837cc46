"""Run inside the machine: the steps that are asked for, or the figures. Exit code: how many steps failed, at most 100."""

import sys

import steps

# In this order: the package is installed by the first and gone after the last.
import life  # noqa: I001
import service
import settings
import sandbox
import figures

FIRST = [life.alone, life.installed, life.verified, life.checked, life.started, life.heat]
LAST = [life.removed, life.purged_hot, life.purged]


def ordered() -> list[steps.Step]:
    middle = [one.run for one in steps.STEPS if one.run not in (*FIRST, *LAST)]
    place = {run: number for number, run in enumerate([*FIRST, *middle, *LAST])}
    return sorted(steps.STEPS, key=lambda one: place[one.run])


def chosen(arguments: list[str]) -> list[steps.Step]:
    if arguments == ["all"]:
        return ordered()
    if arguments == ["fast"]:
        return [one for one in ordered() if one.fast]
    # By name: what goes before is done in silence.
    return [one for one in ordered() if one.run.__name__ in arguments]


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        sys.exit(steps.attempt(steps.Step("", life.installed, False, None)))
    if sys.argv[1] == "figures":
        sys.exit(figures.measure(sys.argv[2:]))
    sys.exit(min(100, steps.run(chosen(sys.argv[1:]))))
