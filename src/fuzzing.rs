//! For `tests/stress/fuzz` only: parsers of outside bytes that no public function reaches without a
//! socket or a printed page. Not part of the interface.

use std::time::Duration;

use crate::alerts::{Desk, pull};
use crate::apps::envfile::{Taken, edit};
use crate::backtest::prometheus;
use crate::cli::report;
use crate::config::EnvFileConfig;
use crate::events::History;

/// Handles the list of alerts that one Alertmanager answers. False: it can't be parsed.
pub fn pulled(desk: &Desk, body: &[u8]) -> bool {
    pull::hear(desk, body).is_ok()
}

/// Parses one alert completely, and for the labels that matter only. False: the results differ.
pub fn alert(text: &str) -> bool {
    pull::agrees(text)
}

/// The output of `report` for an event log, as text and as JSON.
pub fn report(history: &History, last: Duration) -> (String, String) {
    report::both(history, last)
}

/// Sets another value in an environment file's text, and returns what must be restored. `None`: refused.
pub fn slowed(
    text: &[u8],
    config: &EnvFileConfig,
    value: &str,
    before: Option<&Taken>,
) -> Option<(Vec<u8>, Taken)> {
    edit::take(text, config, value, before).ok()
}

/// Restores the original values in the text.
pub fn given_back(text: &[u8], config: &EnvFileConfig, taken: &Taken) -> Option<Vec<u8>> {
    edit::give_back(text, config, taken).ok()
}

/// The series and samples in an answer of Prometheus' query API. `None`: it isn't one.
pub fn queried(body: &[u8]) -> Option<(usize, usize)> {
    prometheus::count(body)
}
