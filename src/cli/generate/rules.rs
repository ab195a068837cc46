//! The rules: those of `alerts/`, for another pace or another port.

use anyhow::{bail, ensure};
use clap::Args;

use super::node::{Fleet, GUARD_PORT, Nodes};
use super::pace::{Pace, TUNED};

const GUARD: &str = include_str!("../../../alerts/thermal-guard.rules.yml");
const DCGM: &str = include_str!("../../../alerts/thermal-guard-dcgm.rules.yml");

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    nodes: Nodes,

    /// Rules on the metrics of dcgm-exporter, where Prometheus scrapes that and not the guards.
    #[arg(long)]
    dcgm: bool,
}

pub(super) fn text(options: &Options) -> anyhow::Result<String> {
    let fleet = options.nodes.fleet()?;
    if options.dcgm {
        dcgm(&fleet)
    } else {
        guard(fleet.pace)
    }
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

/// What changes with the pace in either.
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
