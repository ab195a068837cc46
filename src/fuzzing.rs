//! For `tests/fuzz` alone: bytes from outside that no public function takes without a socket or a
//! printed page around it. No part of the interface.

use std::time::Duration;

use crate::cli::report;
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
