//! The rules: those of `alerts/`, for another pace or another port.

use anyhow::{Context, bail, ensure};
use clap::Args;

use super::job::{JOB, Job};
use super::node::{Fleet, GUARD_PORT, Nodes};
use super::pace::{Pace, TUNED};

const GUARD: &str = include_str!("../../../alerts/thermal-guard.rules.yml");
const DCGM: &str = include_str!("../../../alerts/thermal-guard-dcgm.rules.yml");

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    nodes: Nodes,

    /// Rules on the metrics of dcgm-exporter, where Prometheus scrapes that and not the guards.
    #[arg(long)]
    dcgm: bool,

    /// Name of the scrape job of the guards.
    #[arg(long, value_name = "NAME", default_value = JOB, conflicts_with = "dcgm")]
    job: Job,

    /// For a Prometheus that runs already, at its own resend delay: the settings of the guards in the header are
    /// those that go with it.
    #[arg(long, conflicts_with = "dcgm")]
    fragment: bool,

    /// Only the alerts that tell people: none that throttles, and no heartbeat.
    #[arg(long, conflicts_with = "dcgm")]
    people_only: bool,

    /// Where people find the runbook: each alert links to its part of it [default: docs/runbook.md].
    #[arg(long, value_name = "URL", value_parser = runbook)]
    runbook_url: Option<String>,
}

/// It goes into YAML, in single quotes, and Prometheus takes `{{` for a template.
fn runbook(text: &str) -> anyhow::Result<String> {
    let address = text.strip_prefix("https://");
    let address = address.or_else(|| text.strip_prefix("http://"));
    ensure!(
        address.is_some_and(|it| !it.is_empty()),
        "an address that begins with http:// or https:// is accepted"
    );
    let foreign = |c: char| c.is_whitespace() || c.is_control() || "'\"{}#".contains(c);
    if let Some(found) = text.chars().find(|c| foreign(*c)) {
        bail!("contains {found:?}, which the rules can't; give the page without its anchor");
    }
    Ok(text.to_owned())
}

pub(crate) fn text(options: &Options) -> anyhow::Result<String> {
    let fleet = if options.dcgm {
        options.nodes.fleet()?
    } else {
        options.nodes.fleet_by_number()?
    };
    let rules = if options.dcgm {
        dcgm(&fleet)?
    } else {
        of_job(guard(fleet.pace)?, &options.job)?
    };
    let pace = fleet.pace;
    let rules = if options.fragment {
        replace(&rules, &[(pace.guard_settings(), pace.learning_settings())])?
    } else {
        rules
    };
    let rules = if options.people_only {
        for_people(&rules)?
    } else {
        rules
    };
    let Some(url) = &options.runbook_url else {
        return Ok(rules);
    };
    let link = |page: &str| format!("runbook_url: '{page}#");
    replace(&rules, &[(link("docs/runbook.md"), link(url))])
}

/// The file's last group, with a header that speaks of nothing else. No guard is told, so none has to be set.
fn for_people(rules: &str) -> anyhow::Result<String> {
    const BEFORE: &str = "  # For people.";
    let group = rules.find(BEFORE).and_then(|at| rules.get(at..));
    let group =
        group.with_context(|| format!("a fault in this program: the rules have no {BEFORE:?}"))?;
    let header = "# Rules for thermal-guard. They need Prometheus 2.42 or newer (keep_firing_for).\ngroups:\n";
    Ok(format!("{header}{group}"))
}

fn of_job(rules: String, job: &Job) -> anyhow::Result<String> {
    let name = job.as_str();
    if name == JOB {
        return Ok(rules);
    }
    let asked = |name: &str| format!("job=\"{name}\"");
    let named = |name: &str| format!("scrape job \"{name}\"");
    replace(
        &rules,
        &[(asked(JOB), asked(name)), (named(JOB), named(name))],
    )
}

/// The driving rules draw a line through five scrapes, so its window grows with them, and it must
/// reach as much further into the future as the alert comes later. The slope that counts as a runaway
/// stays.
fn guard(pace: Pace) -> anyhow::Result<String> {
    if pace == TUNED {
        return Ok(GUARD.to_owned());
    }
    let window = 5 * pace.scrape;
    let later = pace.latency() - TUNED.latency();
    let pieces = [
        ("[5s], 7)", format!("[{window}s], {})", 7 + later)),
        ("[5s], 5)", format!("[{window}s], {})", 5 + later)),
        ("[5s])", format!("[{window}s])")),
        // The same in words. Faster heat passes the 8 °C while it is on its way here.
        ("trip within 7 s.", format!("trip within {} s.", 7 + later)),
        ("up to 3 s,", format!("up to {} s,", 3 + later)),
        (
            "from 0.1 to 3 °C/s this leaves 3 s or more.",
            "faster heat than 0.6 °C/s is seen first by the guard.".to_owned(),
        ),
        (
            "there within 5 s.",
            format!("there within {} s.", 5 + later),
        ),
        (
            "scrape 1 s + evaluation 1 s",
            format!(
                "scrape {} s + evaluation {} s",
                pace.scrape, pace.evaluation
            ),
        ),
        ("at worst 2 s.", format!("at worst {} s.", pace.latency())),
    ];
    let pieces = pieces.map(|(from, to)| (from.to_owned(), to));
    replace(&at(pace, GUARD)?, &pieces)
}

/// They make the guard's `instance` from that of dcgm-exporter on the same host, so there can be but
/// one port of guards.
fn dcgm(fleet: &Fleet) -> anyhow::Result<String> {
    let mut ports = fleet.nodes.iter().map(|node| node.port);
    let port = ports.next().unwrap_or(GUARD_PORT);
    if let Some(other) = ports.find(|other| *other != port) {
        bail!("--dcgm: guards on ports {port} and {other}; the rules can address but one");
    }
    let address = |port: u16| format!("\"$1:{port}\"");
    replace(
        &at(fleet.pace, DCGM)?,
        &[(address(GUARD_PORT), address(port))],
    )
}

/// The values that depend on the pace.
fn at(pace: Pace, rules: &str) -> anyhow::Result<String> {
    let interval = |pace: Pace| format!("    interval: {}s\n", pace.evaluation);
    let pieces = [
        (TUNED.guard_settings(), pace.guard_settings()),
        (interval(TUNED), interval(pace)),
    ];
    replace(rules, &pieces)
}

/// Each must be there: rules that were changed and this file must not part company.
fn replace(rules: &str, pieces: &[(String, String)]) -> anyhow::Result<String> {
    pieces
        .iter()
        .try_fold(rules.to_owned(), |text, (from, to)| {
            let there = text.contains(from.as_str());
            ensure!(there, "a fault in this program: the rules have no {from:?}");
            Ok(text.replace(from, to))
        })
}

#[cfg(test)]
mod tests {
    use super::super::pace::GENTLE;
    use super::*;

    #[test]
    fn at_a_gentle_pace_the_line_goes_through_as_many_scrapes_and_as_far_ahead() {
        let rules = guard(GENTLE).unwrap();
        assert!(
            rules.contains("predict_linear(thermal_guard_margin_to_alert_celsius[25s], 15) < 0")
        );
        assert!(
            rules
                .contains("predict_linear(thermal_guard_margin_to_critical_celsius[25s], 13) <= 0")
        );
        for second in ["interval: 1s", "[5s]"] {
            assert!(!rules.contains(second), "{second}");
        }
        assert_eq!(guard(TUNED).unwrap(), GUARD);
    }
}
