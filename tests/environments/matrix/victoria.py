"""Steps: VictoriaMetrics and vmalert instead of Prometheus: they take the same scrape job and the same rules."""

import re
import shutil
from pathlib import Path

import texts
from live import free_ports, http, query, running
from scrapes import samples
from steps import expect, sh, step, until
from versions import Pair

# Alerts that come of increase() or changes(), which count a series' first value as well: they fire for what was there before the
# first scrape. docs/alerting.md says it to people.
DIFFERENT = {"people": {"JournalFailing", "LoopRestarted", "ChainFlaps"}, "gpus": {"GpuHardwareSlowdown"}}
PAGE = Path("docs/alerting.md")
# A rule that reads another one of its group sees what that found an evaluation ago: here, after 5 s.
LATER = {"eval_time: 30s": "eval_time: 35s", "eval_time: 60s\n        alertname": "eval_time: 65s\n        alertname", "eval_time: 90s": "eval_time: 95s"}
# What vmalert wants to be quick: it waits half a minute for late samples, and so do queries.
QUICK = ["-rule.evalDelay=0s"]
QUERIES_QUICK = ["-search.latencyOffset=0s", "-promscrape.config.strictParse=false"]


def files() -> list[Path]:
    return [texts.alerts / "thermal-guard.rules.yml", texts.alerts / "thermal-guard-dcgm.rules.yml"]


def settings(alertmanager: str) -> str:
    return f"alertmanager: {{url: ['{alertmanager}'], pull_interval: 1s, expected: true}}\nhook: {{lease: 30s}}\npolicy: {{recovery_delay: 10s}}\n"


def translated(place: Path):
    """The rules and their tests as that tool has them."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(texts.alerts, place)
    (place / "gentle.rules.yml").write_text(texts.generated("rules", "--pace=gentle"), encoding="utf-8")
    for test in (place / "tests").glob("*.test.yml"):
        text = test.read_text(encoding="utf-8").replace("promql_expr_test", "metricsql_expr_test")
        if test.name == "dcgm.test.yml":
            for old, new in LATER.items():
                text = text.replace(f"      - {old}", f"      - {new}")
        if test.name == "gentle.test.yml":
            text = text.replace("../thermal-guard.rules.yml", "../gentle.rules.yml")
        test.write_text(text, encoding="utf-8")


def add(pair: Pair, folder: Path):
    @step("vmalert takes both files of rules")
    def vmalert_takes():
        for file in files():
            sh(pair("vmalert"), "-dryRun", f"-rule={file}")

    @step("vmalert's own tool passes the rules' tests, but for the alerts that docs/alerting.md names, and 5 s later on dcgm-exporter")
    def vmalert_tests():
        page = PAGE.read_text(encoding="utf-8")
        translated(folder / "vmalert")
        for test in sorted((folder / "vmalert/tests").glob("*.test.yml")):
            name = test.name.partition(".")[0]
            done = sh(pair("vmalert-tool"), "unittest", "--disableAlertgroupLabel", f"--files={test}", check=False)
            said = done.stdout + done.stderr
            found, wanted = set(re.findall(r"alertname: (\w+),", said)), DIFFERENT.get(name, set())
            short = {one.removeprefix("ThermalGuard") for one in found}
            expect(short == wanted and (done.returncode == 0) == (not wanted), f"{name}: {wanted or 'none'} to differ", f"{found} {said[-500:]}")
            expect(all(f"`{one}`" in page for one in found), f"a word about {found} in {PAGE}", "none")

    @step("VictoriaMetrics scrapes a guard by the documented job and loses no sample")
    def victoria_scrapes():
        with running() as it:
            it.guard("{}")
            url = victoria(it, pair)
            told = lambda: samples(http(f"{it.url}/metrics", accept="text/plain")[0])
            found = lambda: [int(float(one["value"][1])) for one in query(url, "scrape_samples_scraped")]
            until("as many samples as the guard tells", lambda: found() == [told()], 40, told=lambda: f"{found()}, told {told()}")
            names = {one["metric"]["__name__"] for one in query(url, 'last_over_time({job="thermal-guard"}[1m])')}
            lost = {name for name in families(http(f"{it.url}/metrics")[0]) if name not in names}
            expect(not lost, "every series", lost)

    @step("guard, VictoriaMetrics, vmalert and Alertmanager: the chain is ok, heat becomes a lease and a lower limit")
    def vmalert_chain():
        with running() as it:
            [alertmanager, vmalert] = free_ports(2)
            at = f"http://127.0.0.1:{alertmanager}"
            config = Path(it.folder, "alertmanager.yml")
            config.write_text(texts.generated("alertmanager", "--pull"), encoding="utf-8")
            it.start("alertmanager", pair("alertmanager"), f"--config.file={config}", f"--storage.path={it.folder / 'alerts'}", "--cluster.listen-address=",
                     f"--web.listen-address=127.0.0.1:{alertmanager}", ready=f"{at}/-/ready")
            it.guard(settings(at))
            url = victoria(it, pair)
            it.start("vmalert", pair("vmalert"), f"-rule={files()[0].absolute()}", f"-datasource.url={url}", f"-notifier.url={at}", f"-remoteWrite.url={url}",
                     f"-httpListenAddr=127.0.0.1:{vmalert}", *QUICK, ready=f"http://127.0.0.1:{vmalert}/health")
            ok = lambda: it.metric("thermal_guard_chain_state", 'state="ok"') == 1
            until("a chain that is ok", ok, 60, told=lambda: it.said() + it.said("vmalert"))
            original = it.limit()
            it.sim("set", "load=1", "inlet=38", "airflow=1.6")
            leases = lambda: sum(it.metric("thermal_guard_leases", f'level="{level}"') or 0 for level in ("gradual", "emergency"))
            until("a lease by an alert", lambda: leases() > 0, 90, told=lambda: it.said() + http(f"{at}/api/v2/alerts")[0][-600:])
            until("a lower limit", lambda: it.limit() < original - 1, 30, told=it.said)
            expect(ok(), "a chain that is still ok", it.said())


def victoria(it, pair: Pair) -> str:
    """Its address. It reads prometheus.yml as it is generated, and is told to pass over what it doesn't know."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    config = Path(it.folder, "prometheus.yml")
    config.write_text(texts.generated("prometheus", f"--node={it.address}"), encoding="utf-8")
    it.start("victoria", pair("victoria-metrics"), f"-promscrape.config={config}", f"-storageDataPath={it.folder / 'victoria'}",
             f"-httpListenAddr=127.0.0.1:{port}", *QUERIES_QUICK, ready=f"{url}/health")
    return url


def families(text: str) -> set[str]:
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}
