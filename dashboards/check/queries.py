"""The expressions of a dashboard, as Grafana would send them to Prometheus."""

import json
import re
from dataclasses import dataclass

LABEL_VALUES = re.compile(r"label_values\((?:(.*),\s*)?(\w+)\)")
# A name; `$1` belongs to label_replace.
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")


@dataclass(frozen=True)
class Query:
    dashboard: str
    where: str
    expression: str
    instant: bool

    def __str__(self):
        return f"{self.dashboard}: {self.where}: {self.expression}"


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(name, dashboard):
    """Every expression of its panels and annotations."""
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            where = f"panel “{panel['title']}” {target['refId']}"
            yield Query(name, where, target["expr"], target.get("instant", False))
    for annotation in dashboard["annotations"]["list"]:
        yield Query(name, f"annotation “{annotation['name']}”", annotation["expr"], False)


def substitute(text, values):
    """Replaces Grafana's variables. One that has no value is an error of the dashboard."""
    return VARIABLE.sub(lambda match: values[match[1]], text)


def choices(dashboard, prometheus, values):
    """Resolves the query variables one after the other, as they depend on each other.

    Yields each set of values that a user may choose: a variable that takes one value at a time
    gets each of its values, one that takes several gets all of them.
    """
    variables = [v for v in dashboard["templating"]["list"] if v["type"] == "query"]
    yield from expand(variables, prometheus, values)


def expand(variables, prometheus, values):
    if not variables:
        yield values
        return
    variable, rest = variables[0], variables[1:]
    found = label_values(variable["query"]["query"], prometheus, values)
    if not found:
        raise ValueError(f"variable {variable['name']} has no values: {variable['query']['query']}")
    options = found
    if variable["multi"]:
        # What Grafana makes of several values, or of “All”, in a regular expression.
        options = [variable.get("allValue") or "|".join(re.escape(value) for value in found)]
    for option in options:
        yield from expand(rest, prometheus, {**values, variable["name"]: option})


def label_values(query, prometheus, values):
    match = LABEL_VALUES.fullmatch(substitute(query, values))
    if not match:
        raise ValueError(f"not a label_values query: {query}")
    selector, label = match.groups()
    data, error = prometheus.ask(f"label/{label}/values", **({"match[]": selector} if selector else {}))
    if error:
        raise ValueError(f"{query}: {error}")
    return data
