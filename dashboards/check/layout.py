"""Whether the panels of a dashboard have numbers and places of their own. Grafana shows two panels of one
number as one, and moves those that overlap. Then plants faults, each of which must be found.

    layout.py DASHBOARD.json…
"""

import copy
import itertools
import pathlib
import sys

from queries import load

WIDTH = 24


def problems(dashboard):
    panels = dashboard["panels"]
    numbers = [panel["id"] for panel in panels]
    for panel in panels:
        if numbers.count(panel["id"]) > 1:
            yield f"{panel['title']}: another panel has its id {panel['id']}"
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > WIDTH:
            yield f"{panel['title']}: wider than the page"
    for one, other in itertools.combinations(panels, 2):
        if overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']}: lies over {other['title']}"


def overlap(one, other):
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def planted(dashboard):
    """Copies of a dashboard with one fault each."""

    def with_panels(change):
        broken = copy.deepcopy(dashboard)
        change(broken["panels"])
        return broken

    yield "two panels of one id", with_panels(lambda panels: panels[2].update(id=panels[1]["id"]))
    yield "a panel over another", with_panels(lambda panels: panels[-1].update(gridPos=panels[-2]["gridPos"]))
    yield "a panel that is too wide", with_panels(lambda panels: panels[-1]["gridPos"].update(x=13))


def main():
    failed = False
    for path in map(pathlib.Path, sys.argv[1:]):
        dashboard = load(path)
        found = list(problems(dashboard))
        for problem in found:
            print(f"FAIL  {path.name}: {problem}")
        if not found:
            print(f"ok    {path.name}: each panel has an id and a place of its own")
        for fault, broken in planted(dashboard):
            seen = any(problems(broken))
            print(f"{'ok   ' if seen else 'FAIL '} control: {path.name}: {fault}")
            failed |= not seen
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
