"""Steps: what is printed and shipped, by the tools of each pair: rules, their tests, configurations."""

import re
from pathlib import Path

from steps import STEPS, Step, expect, sh
from versions import Pair

# Faults: another folder than alerts/, and a part of the chain's tests.
alerts = Path("alerts")
some: list[str] = []
guard = Path()
# From here on Alertmanager takes an address out of an alert, and can be told how to read matchers.
TEMPLATES, UTF8 = (0, 31), (0, 28)
COMPOSE = Path("deploy/compose")


def each(pairs: list[Pair], claim: str):
    """A step for each pair, by its name and the pair's."""
    def add(function):
        for one in pairs:
            def run(one=one):
                function(one)
            run.__name__ = f"{function.__name__}_{one.key}"
            STEPS.append(Step(claim.format(pair=one), run))
        return function
    return add


def generated(*arguments) -> str:
    return sh(guard, "generate", *arguments).stdout


def tool(pair: Pair, name: str, *arguments, **options):
    return sh(pair(name), *arguments, **options)


def cargo(pair: Pair, *arguments):
    """Rust tests with the pair before all others of their name: they ran, and none was left out."""
    done = sh("cargo", "test", "--locked", *arguments, environment=pair.environment(), check=False, timeout=1500)
    said = done.stdout + done.stderr
    failed = re.findall(r"^test (.*) \.\.\. FAILED|panicked at (.*)", said, re.MULTILINE)
    expect(done.returncode == 0, "tests that pass", f"{failed} {said[-600:] if not failed else ''}")
    passed = sum(map(int, re.findall(r"^test result: ok\. (\d+) passed", said, re.MULTILINE)))
    expect(passed > 0 and "skipped:" not in said, "tests that ran", said[-300:])


def add(pairs: list[Pair], folder: Path):
    def written(pair: Pair, name: str, text: str) -> Path:
        place = folder / pair.key / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    @each(pairs, "rules, shipped and generated in each fashion, are valid for {pair} and pass their own tests")
    def rules(pair):
        shipped = [(alerts / f"thermal-guard{kind}.rules.yml").read_text(encoding="utf-8") for kind in ("", "-dcgm")]
        fashions = [generated("rules", *pace, *kind) for pace in ([], ["--pace=gentle"]) for kind in ([], ["--dcgm"])]
        for number, text in enumerate(shipped + fashions):
            tool(pair, "promtool", "check", "rules", "--lint=all", "--lint-fatal", written(pair, f"rules-{number}.yml", text))
        tests = sorted((alerts / "tests").glob("*.test.yml"))
        # That one is for the gentle pace.
        tests = [one for one in tests if one.name != "gentle.test.yml"]
        expect(len(tests) > 5, "tests of the rules", tests)
        for test in tests:
            tool(pair, "promtool", "test", "rules", test)
        gentle = (alerts / "tests/gentle.test.yml").read_text(encoding="utf-8")
        written(pair, "thermal-guard.rules.yml", generated("rules", "--pace=gentle"))
        tool(pair, "promtool", "test", "rules", written(pair, "tests/gentle.test.yml", gentle))

    # What takes minutes, with the oldest and the newest.
    ends = [pairs[0], pairs[-1]]

    @each(ends, "alerts/check.sh passes with the tools of {pair}: each claim with a control that must fail")
    def controls(pair):
        sh("nice", alerts / "check.sh", environment=pair.environment(), timeout=1500)

    @each(pairs, "every configuration, shipped, of the compose project and generated, is valid for {pair}")
    def configurations(pair):
        nodes = "--node=n1.example,n2.example"
        for text in (generated("prometheus", nodes), generated("prometheus", nodes, "--pace=gentle"), (COMPOSE / "prometheus.yml").read_text(encoding="utf-8")):
            tool(pair, "promtool", "check", "config", "--syntax-only", written(pair, "prometheus.yml", text))
        fashions = [("shipped", (alerts / "alertmanager.yml").read_text(encoding="utf-8")), ("pull", (alerts / "alertmanager-pull.yml").read_text(encoding="utf-8")),
                    ("compose", (COMPOSE / "alertmanager.yml").read_text(encoding="utf-8")), ("generated", generated("alertmanager", nodes))]
        # How matchers are read changed once, and both ways can be asked for.
        modes = [[]] if pair.version("amtool") < UTF8 else [[], ["--enable-feature=utf8-strict-mode"], ["--enable-feature=classic-mode"]]
        for name, text in fashions:
            for mode in modes:
                tool(pair, "amtool", *mode, "check-config", written(pair, f"alertmanager-{name}.yml", text))

    @each(pairs, "`generate alertmanager` for the version of {pair} is taken by it, with templates only where it knows them")
    def for_version(pair):
        known = pair.version("amtool") >= TEMPLATES
        own = generated("alertmanager", f"--for-version={'.'.join(map(str, pair.version('amtool')))}")
        expect(("{{" in own) == known, f"{'a' if known else 'no'} template", own[:300])
        tool(pair, "amtool", "check-config", written(pair, "own.yml", own))
        templated = tool(pair, "amtool", "check-config", alerts / "alertmanager-0.31.yml", check=False)
        expect((templated.returncode == 0) == known, "the templated file to be taken from 0.31 on and refused before", templated.stderr[-300:])

    @each(pairs, "the Rust tests of what is generated and of /metrics pass with the tools of {pair}")
    def tools(pair):
        cargo(pair, "--test", "program", "generate::")
        cargo(pair, "--test", "http", "promtool")

    @each(ends, "the whole chain, guard, rules, routes, hook and pull, with {pair}")
    def chain(pair):
        cargo(pair, "--test", "chain", *some)

