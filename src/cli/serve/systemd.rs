//! What systemd is told of a service of `Type=notify`: ready, reloading, stopping, and, with
//! `WatchdogSec=`, that the control loops go on. Without `$NOTIFY_SOCKET` nobody is told anything.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::guard::feed::Feed;
use crate::guard::{Guard, Shared};

/// How long readiness waits for a driver that doesn't answer. Long enough for one that takes its
/// GPUs out of sleep; a unit that never gets ready would be killed and started for ever, and a
/// guard without a driver still answers scrapes.
const DRIVER_PATIENCE: Duration = Duration::from_secs(30);

/// The running service, as systemd sees it.
pub(super) struct Service {
    ready: JoinSet<()>,
    watchdog: JoinSet<()>,
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
        if let Some(deadline) = sd_notify::watchdog_enabled() {
            match messenger() {
                Ok(tell) => shared.feed_by(Feed::new(deadline, Box::new(tell))),
                Err(error) => {
                    tracing::error!(%error, "no thread to feed the watchdog: systemd will start the guard anew; raise TasksMax= of the service or the system's limit");
                }
            }
        }
        Self {
            ready,
            watchdog: JoinSet::new(),
        }
    }

    pub(super) fn stopping(&mut self) {
        self.ready.abort_all();
        if let Some(deadline) = sd_notify::watchdog_enabled() {
            self.watchdog.spawn(feed(deadline));
        }
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

/// A thread of its own for what the control loops have to tell: systemd may be too busy to take it,
/// and no loop must wait for that.
fn messenger() -> io::Result<impl Fn() + Send + Sync + use<>> {
    let (ask, asked) = sync_channel(1);
    let thread = thread::Builder::new().name("watchdog".to_owned());
    thread.spawn(move || {
        for () in asked {
            tell(&[NotifyState::Watchdog]);
        }
    })?;
    Ok(move || {
        // Full: systemd hasn't taken the last word yet, which says the same.
        let _ = ask.try_send(());
    })
}

/// A stop has a time-out of its own, and no loops.
async fn feed(deadline: Duration) {
    let mut looks = interval(deadline / 4);
    loop {
        looks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

#[cfg(test)]
#[path = "systemd_tests.rs"]
mod tests;
