//! SIGTERM and SIGINT end the guard, SIGHUP reloads its configuration.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::guard::Guard;

use super::reload::Reloader;

/// Signals wait here until `until_stopped` reads them. Nothing here waits for a disk.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// To be called first: before this, an early SIGHUP would end the process.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when asked to stop, or with the reason why the guard can't go on.
    pub(crate) async fn until_stopped(
        mut self,
        guard: &Guard,
        reloader: &Reloader,
    ) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = self.interrupt.recv() => tracing::info!("interrupted: stopping"),
                _ = self.hangup.recv() => {
                    reloader.request();
                    continue;
                }
                reason = guard.fatal() => anyhow::bail!(reason),
            }
            return Ok(());
        }
    }
}
