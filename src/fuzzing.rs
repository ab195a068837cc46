//! For `tests/fuzz` alone: bytes from outside that no public function takes without a socket or a
//! printed page around it. No part of the interface.

use std::time::Duration;

use crate::cli::report;
use crate::config::EnvFileConfig;
use crate::guard::envfile::{Taken, edit};
use crate::guard::events::History;
use crate::web::Web;
use crate::web::pull;

/// One Alertmanager's list of alerts, taken as after a request. False: it can't be read.
pub fn pulled(web: &Web, body: &[u8]) -> bool {
    pull::hear(web, body).is_ok()
}

/// One alert, read whole and read for what is looked at. False: they differ.
pub fn alert(text: &str) -> bool {
    pull::agrees(text)
}

/// What `report` says of an event log, as a page and as JSON.
pub fn report(history: &History, last: Duration) -> (String, String) {
    report::both(history, last)
}

/// An environment file's text with another value, and what is to be put back. `None`: refused.
pub fn slowed(
    text: &[u8],
    config: &EnvFileConfig,
    value: &str,
    before: Option<&Taken>,
) -> Option<(Vec<u8>, Taken)> {
    edit::take(text, config, value, before).ok()
}

/// The text with what was taken put back.
pub fn given_back(text: &[u8], config: &EnvFileConfig, taken: &Taken) -> Option<Vec<u8>> {
    edit::give_back(text, config, taken).ok()
}
