//! Notifies systemd for a service of `Type=notify`: ready, reloading, stopping, how it goes in one line,
//! and, with `WatchdogSec=`, that the control loops run. Does nothing without `$NOTIFY_SOCKET`.

mod headline;

use std::env;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{interval, sleep, timeout};

use crate::guard::Guard;
use crate::guard::state::Shared;
use crate::guard::watchdog::Watchdog;
use crate::web::snapshot::snapshots::Snapshots;

/// How long readiness waits for a driver that doesn't answer. Long enough for one that takes its
/// GPUs out of sleep; a unit that never gets ready would be killed and started for ever, and a
/// guard without a driver still answers scrapes.
const DRIVER_PATIENCE: Duration = Duration::from_secs(30);

/// How often the line for `systemctl status` is looked at. It is told only if it has changed.
const HEADLINE_EVERY: Duration = Duration::from_secs(1);

/// The running service, as systemd sees it.
pub(crate) struct Service {
    ready: JoinSet<()>,
    headline: JoinSet<()>,
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
            headline: JoinSet::new(),
            watchdog: JoinSet::new(),
        }
    }

    /// From here on `systemctl status` says how it goes.
    pub(crate) fn tell_headlines(&mut self, snapshots: Arc<Snapshots>) {
        if env::var_os("NOTIFY_SOCKET").is_some() {
            self.headline.spawn(headlines(snapshots));
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
        self.headline.abort_all();
        if let Some(deadline) = sd_notify::watchdog_enabled() {
            self.watchdog.spawn(feed(deadline));
        }
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }
}

/// systemd goes on showing the last line that it heard.
pub(crate) fn stopped() {
    tell(&[NotifyState::Status("stopped")]);
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

/// Each line in a thread of its own: systemd may be too busy to read it, and the web must not wait.
async fn headlines(snapshots: Arc<Snapshots>) {
    let mut told = String::new();
    loop {
        let headline = headline::of(&snapshots.take_present());
        if headline != told {
            told.clone_from(&headline);
            let _ = spawn_blocking(move || tell(&[NotifyState::Status(&headline)])).await;
        }
        sleep(HEADLINE_EVERY).await;
    }
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
