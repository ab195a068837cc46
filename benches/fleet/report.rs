//! The section of `docs/benchmarks.md` on a fleet, with the bars it was held to.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::Story;
use crate::costs::{Costs, Usage};
use crate::leases::Leases;
use crate::page::{machine, quantile};
use crate::reaction::Reactions;

/// A fleet's p99 against that of a fleet of one, and the healthy ones' among dead ones' against
/// that among healthy ones.
const BAR: f64 = 2.0;

pub(crate) fn text(story: &Story) -> String {
    let Story {
        nodes,
        alone,
        costs,
        calm,
        faulty,
        ..
    } = story;
    let rows = [
        row("fleets of 1", alone, alone),
        row(&format!("fleet of {nodes}"), &calm.reactions, alone),
        row(
            &format!("fleet of {nodes}, 1 hung and 10 dead"),
            &faulty.reactions,
            alone,
        ),
    ];
    format!(
        "\
{machine}. {nodes} guards with 8 simulated H100 each, one {prometheus} and one {alertmanager}, all there.

Scrape, evaluation and group interval 5 s, as `generate` prints them for more than 49 nodes; state on tmpfs. The fleets of 1 are ten, each with a Prometheus and an Alertmanager of its own at the same intervals. A rack of ten nodes gets hot; from the moment at which a GPU's true temperature jumps past critical (local loop), or as far as an alert rule asks for, which the local loop doesn't mind (by alert), to the lower limit at the simulated driver:

| | local loop, p50 | p99 | against 1 | by alert, p50 | p99 | against 1 |
|---|---|---|---|---|---|---|
{rows}
The local loop looks once a second and waits for nobody: up to one tick is the wait for the next look. An alert waits for a scrape and an evaluation, up to 5 s each.

{costs}
{bars}",
        prometheus = version("prometheus"),
        alertmanager = version("prometheus-alertmanager"),
        machine = machine(),
        rows = rows.concat(),
        costs = costs_table(costs),
        bars = bars(story),
    )
}

fn row(name: &str, reactions: &Reactions, alone: &Reactions) -> String {
    let cells = |own: &[Duration], other: &[Duration]| {
        let against = ratio(own, other);
        format!(
            " {} | {} | {against:.2} |",
            seconds(quantile(own, 0.5)),
            seconds(quantile(own, 0.99))
        )
    };
    let local = cells(&reactions.local, &alone.local);
    let alert = cells(&reactions.alert, &alone.alert);
    format!(
        "| {name} ({} and {} GPUs) |{local}{alert}\n",
        reactions.local.len(),
        reactions.alert.len()
    )
}

fn ratio(own: &[Duration], other: &[Duration]) -> f64 {
    quantile(own, 0.99).as_secs_f64() / quantile(other, 0.99).as_secs_f64()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn costs_table(costs: &Costs) -> String {
    let each = |of: fn(&Usage) -> f64| -> Vec<f64> { costs.guards.iter().map(of).collect() };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let (cpu, resident, own) = (each(|u| u.cpu), each(|u| u.resident), each(|u| u.own));
    let service = |name: &str, usage: &Usage, more: String| {
        format!(
            "| {name} | {} | {} | {} | {more} |\n",
            share(usage.cpu),
            mib(usage.resident),
            mib(usage.own)
        )
    };
    format!(
        "\
While nothing happens but scrapes, evaluations and heartbeats:

| | CPU, of a core | resident | of it its own | |
|---|---|---|---|---|
| a guard, mean | {} | {} | {} | {:.0} threads; the simulated cards' physics are in it |
| a guard, most | {} | {} | {} | |
{}{}",
        share(mean(&cpu)),
        mib(mean(&resident)),
        mib(mean(&own)),
        mean(&each(|u| u.threads)),
        share(most(&cpu)),
        mib(most(&resident)),
        mib(most(&own)),
        service(
            "Prometheus",
            &costs.prometheus,
            format!(
                "{:.0} samples of each node, {:.0} series in all, {:.0} samples/s; a scrape takes {:.1} ms",
                costs.series_per_node,
                costs.series,
                costs.samples_per_second,
                costs.scrape_seconds * 1000.0
            )
        ),
        service(
            "Alertmanager",
            &costs.alertmanager,
            format!("{:.1} notifications/s", costs.notifications_per_second)
        ),
    )
}

fn share(cpu: f64) -> String {
    format!("{:.2} %", cpu * 100.0)
}

fn mib(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / 1_048_576.0)
}

/// Each bar, and whether it is met.
fn bars(story: &Story) -> String {
    let Story {
        alone,
        calm,
        faulty,
        heartbeats,
        ..
    } = story;
    let mut text = String::from("| held to | found | |\n|---|---|---|\n");
    let mut bar = |what: &str, found: String, met: bool| {
        let verdict = if met { "met" } else { "**missed**" };
        // Writing to a String can't fail.
        let _ = writeln!(text, "| {what} | {found} | {verdict} |");
    };
    for (name, own, other) in [
        ("fleet against 1", &calm.reactions, alone),
        ("among hung and dead against 1", &faulty.reactions, alone),
        (
            "among hung and dead against before",
            &faulty.reactions,
            &calm.reactions,
        ),
    ] {
        let (local, alert) = (
            ratio(&own.local, &other.local),
            ratio(&own.alert, &other.alert),
        );
        let found = format!("{local:.2} by the local loop, {alert:.2} by alert");
        bar(
            &format!("reaction p99, {name}: ≤ {BAR}"),
            found,
            local.max(alert) <= BAR,
        );
    }
    let silent = calm.reactions.silent + faulty.reactions.silent;
    bar(
        "every healthy hot GPU throttled",
        format!("{silent} not"),
        silent == 0,
    );
    let leases = [&calm.leases, &faulty.leases];
    let sum = |of: fn(&Leases) -> usize| leases.iter().map(|leases| of(leases)).sum::<usize>();
    let (firing, lost, strange) = (sum(|l| l.firing), sum(|l| l.lost), sum(|l| l.strange));
    let stray = leases
        .map(|leases| leases.misrouted + leases.expired)
        .iter()
        .sum::<f64>();
    bar(
        "each firing alert has its lease on its node, and no other node one",
        format!(
            "{firing} firing, {lost} without, {strange} leases without an alert, {stray:.0} misrouted or expired"
        ),
        firing > 0 && lost + strange == 0 && stray == 0.0,
    );
    bar(
        "no heartbeat lost",
        format!(
            "{:.0} came to {} guards, the oldest at a scrape {:.0} s; {} missed one, {} fell back",
            heartbeats.came,
            heartbeats.guards,
            heartbeats.oldest,
            heartbeats.missed,
            heartbeats.fallbacks
        ),
        heartbeats.guards == story.nodes && heartbeats.missed + heartbeats.fallbacks == 0,
    );
    bar(
        "the faults were there: 10 targets down, 1 GPU reported as hung",
        format!("{} down, {} hung", story.down, story.hung),
        (story.down, story.hung) == (crate::fleet::RACK, 1),
    );
    text
}

/// `prometheus 2.42.0`
fn version(program: &str) -> String {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .expect("it is installed");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let mut words = said.split([' ', ',', '+']).filter(|word| !word.is_empty());
    let name = words.next().unwrap_or_default().to_owned();
    let number = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let name = if name == "alertmanager" {
        "Alertmanager"
    } else {
        "Prometheus"
    };
    format!("{name} {}", number.unwrap_or("?"))
}
