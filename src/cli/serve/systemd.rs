//! Notifies systemd for a service of `Type=notify`: ready, reloading, stopping, and, with
//! `WatchdogSec=`, that the control loops run. Does nothing without `$NOTIFY_SOCKET`.

use std::io;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::guard::Guard;
use crate::guard::state::Shared;
use crate::guard::watchdog::Watchdog;

/// How long readiness waits for a driver that doesn't answer. Long enough for one that takes its
/// GPUs out of sleep; a unit that never gets ready would be killed and started for ever, and a
/// guard without a driver still answers scrapes.
const DRIVER_PATIENCE: Duration = Duration::from_secs(30);

/// The running service, as systemd sees it.
pub(crate) struct Service {
    ready: JoinSet<()>,
    watchdog: JoinSet<()>,
}

impl Service {
    /// To be called once the listeners are bound.
    pub(crate) fn start(guard: &Guard) -> Self {
        let looked = guard.looked();
        let mut ready = JoinSet::new();
        ready.spawn(async move {
            let _ = timeout(DRIVER_PATIENCE, looked).await;
            tell(&[NotifyState::Ready]);
        });
        Self {
            ready,
            watchdog: JoinSet::new(),
        }
    }

    /// To be called before the first control loop starts: a loop that rests without a watchdog in
    /// sight rests for its whole interval.
    pub(crate) fn set_watchdog(shared: &Shared) {
        if let Some(deadline) = sd_notify::watchdog_enabled() {
            match messenger() {
                Ok(tell) => shared.set_watchdog(Watchdog::new(deadline, Box::new(tell))),
                Err(error) => {
                    tracing::error!(%error, "no thread to feed the watchdog: systemd will restart the guard; raise TasksMax= of the service or the system's limit");
                }
            }
        }
    }

    pub(crate) fn stopping(&mut self) {
        self.ready.abort_all();
        if let Some(deadline) = sd_notify::watchdog_enabled() {
            self.watchdog.spawn(feed(deadline));
        }
        tell(&[NotifyState::Stopping]);
    }
}

/// Between these two, `systemctl reload` waits. The time is for `Type=notify-reload`.
pub(crate) fn reloading() {
    let since = NotifyState::monotonic_usec_now().ok();
    let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(since).collect();
    tell(&states);
}

pub(crate) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd can't be told of ready, reload or the watchdog: see $NOTIFY_SOCKET and NotifyAccess= of the unit");
    }
}

/// A thread that passes the control loops' signs of life on: systemd may be too busy to read them, and
/// no loop must wait for that.
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

/// While the guard stops, there are no loops to feed the watchdog; the stop has a timeout of its own.
async fn feed(deadline: Duration) {
    let mut looks = interval(deadline / 4);
    loop {
        looks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

#[cfg(test)]
mod tests;
