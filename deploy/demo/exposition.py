"""Reads the guard's /metrics (classic text format)."""

import re

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Exposition:
    def __init__(self, text):
        matches = (SAMPLE.match(line) for line in text.splitlines())
        self.samples = [
            (match[1], dict(LABEL.findall(match[2] or "")), float(match[3]))
            for match in matches
            if match
        ]

    def value(self, name, **labels):
        """The sum of all series of that name with these labels; None if there is none."""
        found = [
            value
            for sample, has, value in self.samples
            if sample == f"thermal_guard_{name}" and labels.items() <= has.items()
        ]
        return sum(found) if found else None

    def active(self, name, label, **labels):
        """Which series of a one-hot family is 1: the value of its `label`."""
        for sample, has, value in self.samples:
            if sample == f"thermal_guard_{name}" and labels.items() <= has.items() and value == 1:
                return has[label]
        return None
