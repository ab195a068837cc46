"""Runs every expression of the dashboards against a real Prometheus that scrapes real guards, and
fails on an error or an empty result. Then plants faults, each of which must be found.

    check.py DASHBOARD.json…
"""

import copy
import pathlib
import sys
import tempfile
import time

import story
from queries import choices, load, queries, substitute

# What a range query looks at; Grafana would choose about the same for a window of minutes.
STEP_SECONDS = 2
BUILT_IN = {"__rate_interval": "10s", "__interval": "2s"}
# Chains break after 15 s of silence; the rest comes sooner. Generous for two busy cores.
LIMIT_SECONDS = 120

# A guard learns these over half a day of changing loads. Here they may have no data, but no errors; that
# they exist is checked by `cargo test --test http names::`.
LEARNED_SLOWLY = (
    "thermal_guard_gpu_thermal_resistance_change_ratio",
    "thermal_guard_gpu_thermal_resistance_neighbours_change_ratio",
)


class Trial:
    """The dashboards against one Prometheus, from the start of its story until now."""

    def __init__(self, rig):
        self.rig = rig
        self.started = time.time()

    def variables(self, dashboard):
        values = {**BUILT_IN, "__range": f"{max(1, int(time.time() - self.started))}s"}
        return list(choices(dashboard, self.rig, values))

    def answers(self, query, sets):
        """Whether Prometheus has data for one of these sets of variables. Raises on an error."""
        # A zero that stands in for nothing would answer for a mistake, too.
        expression = query.expression.removesuffix(" or vector(0)")
        return any(self.ask(query, substitute(expression, values)) for values in sets)

    def ask(self, query, expression):
        now = time.time()
        if query.instant:
            data, error = self.rig.ask("query", query=expression, time=now)
        else:
            data, error = self.rig.ask("query_range", query=expression, start=self.started, end=now,
                                       step=STEP_SECONDS)
        if error:
            raise ValueError(f"{query}\n    {error}")
        return bool(data["result"])

    def problems(self, name, dashboard):
        """What is wrong with a dashboard at this moment."""
        found = []
        try:
            sets = self.variables(dashboard)
        except (ValueError, KeyError) as error:
            return [f"{name}: {error}"]
        for query in queries(name, dashboard):
            try:
                learned = any(name in query.expression for name in LEARNED_SLOWLY)
                if not self.answers(query, sets) and not learned:
                    found.append(f"{query}\n    no data")
            except KeyError as error:
                found.append(f"{query}\n    there is no variable {error}")
            except ValueError as error:
                found.append(str(error))
        return found


def wait_for_data(trial, tale, dashboards):
    """Lets the story go on until every expression has data. What has none at the end is returned."""
    deadline = time.monotonic() + LIMIT_SECONDS
    problems = ["not asked yet"]
    while problems and time.monotonic() < deadline:
        tale.go_on()
        time.sleep(1)
        problems = [
            problem
            for name, dashboard in dashboards.items()
            for problem in trial.problems(name, dashboard)
        ]
    return problems


def planted(dashboard):
    """Copies of a dashboard with one fault each."""
    first = next(index for index, panel in enumerate(dashboard["panels"]) if panel.get("targets"))

    def with_expression(change):
        broken = copy.deepcopy(dashboard)
        target = broken["panels"][first]["targets"][0]
        target["expr"] = change(target["expr"])
        return broken

    yield "a metric that doesn't exist", with_expression(
        lambda _: 'max(thermal_guard_gpu_temprature_celsius{instance=~"$instance"})')
    yield "broken PromQL", with_expression(lambda expression: f"sum({expression}")
    yield "a variable that doesn't exist", with_expression(lambda expression: f"{expression} > $nowhere")
    yield "a label value that doesn't exist", with_expression(
        lambda _: 'thermal_guard_state{state="overheated"}')
    annotated = copy.deepcopy(dashboard)
    annotated["annotations"]["list"][0]["expr"] = "changes(thermal_guard_state)"
    yield "an annotation without a window", annotated
    varied = copy.deepcopy(dashboard)
    query = varied["templating"]["list"][1]["query"]
    query["query"] = "label_values(thermal_guard_build_information, instance)"
    yield "a variable of a metric that doesn't exist", varied


def controls(trial, dashboards):
    """Names of the planted faults that were not found."""
    for name, dashboard in dashboards.items():
        for fault, broken in planted(dashboard):
            found = trial.problems(name, broken)
            print(f"{'ok   ' if found else 'FAIL '} control: {name}: {fault}")
            if not found:
                yield f"{name}: {fault}"


def main():
    dashboards = {path.name: load(path) for path in map(pathlib.Path, sys.argv[1:])}
    with (
        tempfile.TemporaryDirectory(prefix="dashboards-") as directory,
        story.rig(pathlib.Path(directory)) as rig,
    ):
        trial, tale = Trial(rig), story.Story(rig)
        tale.begin()
        problems = wait_for_data(trial, tale, dashboards)
        for problem in problems:
            print(f"FAIL  {problem}")
        if problems:
            return 1
        for name, dashboard in dashboards.items():
            print(f"ok    {name}: {len(list(queries(name, dashboard)))} expressions have data")
        return 1 if list(controls(trial, dashboards)) else 0


if __name__ == "__main__":
    sys.exit(main())
