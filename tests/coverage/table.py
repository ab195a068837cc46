#!/usr/bin/env python3
"""How many lines of the guard's core the tests run, of an lcov file; fails under the bar.

Lines of tests don't count: neither files of tests nor what stands under #[cfg(test)] beside the code.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src"
BAR = 95.0

# What must not fail: the decision, its shell, and what lets the outside in.
PARTS = {
    "policy": r"policy/",
    "guard": r"guard/",
    "hook": r"(alerts/|web/actuate/(hook|lease)\b|web/http/body\b)",
    "access": r"(web/access/|web/http/tls\b|disk/ca_file\b)",
}


def counts(lcov):
    """Of each source file, how often each of its lines ran."""
    files = defaultdict(dict)
    for line in lcov.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            lines = files[Path(value)]
        elif key == "DA":
            number, count = value.split(",")[:2]
            lines[int(number)] = max(int(count), lines.get(int(number), 0))
    return files


def test_lines(source):
    """The numbers of lines that only tests compile: from #[cfg(test)] to the end of that item.

    rustfmt puts that end on the same indentation, or a semicolon at the end of the next line.
    """
    found, end = set(), None
    for number, line in enumerate(source.read_text().splitlines(), 1):
        if end is None and line.strip() == "#[cfg(test)]":
            end = re.compile(re.escape(line[: line.index("#")]) + r"(\}|\S.*;)$")
        if end:
            found.add(number)
            if end.match(line):
                end = None
    return found


def ranges(numbers):
    """4, 5, 6, 9 as "4-6 9"."""
    runs = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def row(name, missed, lines, rest=""):
    share = 100 * (1 - missed / lines)
    print(f"{name:<34}{lines:>6}{missed:>8}{share:>8.1f} %  {rest}".rstrip())
    return share


def part(name, files):
    """Prints a part, file by file, and returns its share in percent."""
    lines = sum(len(counted) for counted in files.values())
    missed = {file: [n for n, count in counted.items() if not count] for file, counted in files.items()}
    share = row(name, sum(map(len, missed.values())), lines)
    for file in sorted(files):
        row(f"  {file}", len(missed[file]), len(files[file]), ranges(missed[file]))
    return share


def main():
    own = {}
    for file, counted in counts(Path(sys.argv[1])).items():
        if not file.is_relative_to(SOURCES):
            continue
        name = file.relative_to(SOURCES)
        skipped = counted.keys() if "tests" in (*name.parts, name.stem) else test_lines(file)
        kept = {number: count for number, count in counted.items() if number not in skipped}
        if kept:
            own[name.as_posix()] = kept

    print(f"{'':<34}{'lines':>6}{'missed':>8}{'run':>8}    missed lines")
    low = []
    for name, pattern in PARTS.items():
        files = {file: counted for file, counted in own.items() if re.match(pattern, file)}
        if not files:
            sys.exit(f"{sys.argv[1]}: says nothing about {name}")
        if part(name, files) < BAR:
            low.append(name)
    if low:
        sys.exit(f"under {BAR:.0f} % of lines: {', '.join(low)}")


main()
