//! What systemd is told of a service of `Type=notify`: ready, reloading, stopping, and, with
//! `WatchdogSec=`, that the control loops go on. Without `$NOTIFY_SOCKET` nobody is told anything.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::guard::{Guard, Shared};

/// How long readiness waits for a driver that doesn't answer. Long enough for one that takes its
/// GPUs out of sleep; a unit that never gets ready would be killed and started for ever, and a
/// guard without a driver still answers scrapes.
const DRIVER_PATIENCE: Duration = Duration::from_secs(30);

/// The running service, as systemd sees it.
pub(super) struct Service {
    ready: JoinSet<()>,
    _watchdog: JoinSet<()>,
}

impl Service {
    /// To be called once the listeners are bound.
    pub(super) fn start(guard: &Guard, shared: &Arc<Shared>) -> Self {
        let looked = guard.looked();
        let mut ready = JoinSet::new();
        ready.spawn(async move {
            let _ = timeout(DRIVER_PATIENCE, looked).await;
            tell(&[NotifyState::Ready]);
        });
        let mut watchdog = JoinSet::new();
        if let Some(deadline) = sd_notify::watchdog_enabled() {
            watchdog.spawn(feed(shared.clone(), deadline));
        }
        Self {
            ready,
            _watchdog: watchdog,
        }
    }

    /// The watchdog is fed until the end: a stop has a time-out of its own.
    pub(super) fn stopping(&mut self) {
        self.ready.abort_all();
        tell(&[NotifyState::Stopping]);
    }
}

/// Between these two, `systemctl reload` waits. The time is for `Type=notify-reload`.
pub(super) fn reloading() {
    let since = NotifyState::monotonic_usec_now().ok();
    let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(since).collect();
    tell(&states);
}

pub(super) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd can't be told of ready, reload or the watchdog: see $NOTIFY_SOCKET and NotifyAccess= of the unit");
    }
}

/// Feeds the watchdog for as long as every GPU's loop goes on. A stuck loop is let be late by half
/// of the deadline, so systemd ends the guard after one and a half.
async fn feed(shared: Arc<Shared>, deadline: Duration) {
    let mut looks = interval(deadline / 4);
    let mut well = true;
    loop {
        looks.tick().await;
        let stuck = shared.stuck(deadline / 2);
        if stuck.is_empty() || shared.is_stopping() {
            well = true;
            tell(&[NotifyState::Watchdog]);
        } else if std::mem::replace(&mut well, false) {
            for station in stuck {
                tracing::error!(gpu = station.identity.index, uuid = %station.identity.uuid, "control loop stuck: the watchdog is not fed any more, and systemd will start the guard anew; please report this log");
            }
        }
    }
}

#[cfg(test)]
#[path = "systemd_tests.rs"]
mod tests;
