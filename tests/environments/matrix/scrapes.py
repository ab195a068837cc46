"""Steps: /metrics of a real guard, read by each Prometheus in every format that it can ask for."""

import json
from pathlib import Path

from live import free_ports, http, query, running
from steps import expect, sh, until
from texts import each
from versions import Pair

# Which Prometheus can be told in which formats to ask; before that it asks for OpenMetrics.
TOLD, TEXT_1_0 = (2, 49), (3, 0)
PROTOCOLS = ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText0.0.4"]
OPEN = "application/openmetrics-text; version=1.0.0"
# Faults: what is done to the text before promtool reads it.
spoil = None


def samples(text: str) -> int:
    return sum(1 for line in text.splitlines() if line and not line.startswith("#"))


def job(name: str, address: str, more: str) -> str:
    return f"  - job_name: '{name}'\n{more}    static_configs: [{{targets: ['{address}']}}]\n"


def jobs(pair: Pair, address: str) -> dict[str, str]:
    """Each a scrape of the guard in a format of its own."""
    version = pair.version("prometheus")
    if version < TOLD:
        return {"default": ""}
    protocols = PROTOCOLS + (["PrometheusText1.0.0", "PrometheusProto"] if version >= TEXT_1_0 else [])
    return {"default": "", **{one: f"    scrape_protocols: ['{one}']\n" for one in protocols}}


def add(pairs: list[Pair]):
    @each(pairs, "promtool of {pair} finds nothing to complain about in a guard's /metrics")
    def metrics(pair):
        with running() as it:
            it.guard("{}")
            text, kind = http(f"{it.url}/metrics")
            expect(kind.startswith("text/plain") and samples(text) > 200, "all series as text", f"{kind}, {samples(text)}")
            done = sh(pair("promtool"), "check", "metrics", text=spoil(text) if spoil else text, check=False)
            expect(done.returncode == 0 and not (done.stdout + done.stderr).strip(), "no complaint", done.stdout + done.stderr)

    @each(pairs, "{pair}: a guard is scraped in every format, and none loses a sample")
    def scraped(pair):
        with running() as it:
            it.guard("{}")
            [port] = free_ports(1)
            prometheus = f"http://127.0.0.1:{port}"
            kinds = jobs(pair, it.address)
            text = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" + "".join(job(name, it.address, more) for name, more in kinds.items())
            config = Path(it.folder, "prometheus.yml")
            config.write_text(text, encoding="utf-8")
            it.start("prometheus", pair("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={it.folder / 'data'}",
                     f"--web.listen-address=127.0.0.1:{port}", ready=f"{prometheus}/-/ready")
            until("a scrape by each job, with as many samples as the guard tells", lambda: counted(prometheus) == {name: told(it, name) for name in kinds}, 40, pause=0.5,
                  told=lambda: f"{counted(prometheus)}, wanted { {name: told(it, name) for name in kinds} }, {troubles(prometheus)}")
            rejected = query(prometheus, "sum(scrape_samples_scraped - scrape_samples_post_metric_relabeling)")
            expect(rejected and float(rejected[0]["value"][1]) == 0, "no sample dropped", rejected)


def told(it, name: str) -> int:
    """In the format that the guard has for this job: it answers what it can't speak with text."""
    return samples(http(f"{it.url}/metrics", accept="text/plain" if name.startswith("Prometheus") else OPEN)[0])


def counted(url: str) -> dict[str, int]:
    """Of the scrapes that went well."""
    return {one["metric"]["job"]: int(float(one["value"][1])) for one in query(url, "scrape_samples_scraped and on (job) up == 1")}


def troubles(url: str) -> list[str]:
    said, _ = http(f"{url}/api/v1/targets")
    return [one["lastError"] for one in json.loads(said)["data"]["activeTargets"]] if said else []
