//! Whether anything can be done for the GPUs of an alert that has a lease. The lease is kept either
//! way: the next tick may make possible what isn't possible now.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::alert::Alert;
use crate::device::Uuid;
use crate::guard::Tick;
use crate::guard::state::Shared;
use crate::log_limit::{Line, LogLimit};
use crate::policy::{State, Unguarded};
use crate::units::Moment;

/// Since when nothing can be done for a GPU, and why.
type Since = (Duration, Option<Unguarded>);

/// Logs each GPU that nothing can be done for, once while that lasts.
pub(super) struct NotPossible {
    logged: Mutex<BTreeMap<Uuid, Since>>,
    lines: LogLimit,
}

impl Default for NotPossible {
    fn default() -> Self {
        Self {
            logged: Mutex::default(),
            // As for leases that come and go: a card that comes and goes fills no disk.
            lines: LogLimit::new(20, Duration::from_secs(60)),
        }
    }
}

impl NotPossible {
    /// True if nothing can be done for one of `gpus`, by its latest tick. Never in `observe`, where
    /// nothing is to be done; a pause and `max_hold` are the operator's own wish.
    pub(super) fn check(&self, shared: &Shared, gpus: &[Uuid], alert: &Alert) -> bool {
        if shared.live().observes {
            return false;
        }
        let mut not_possible = false;
        for gpu in gpus {
            let tick = shared.gpu_handle(gpu).and_then(|it| it.latest());
            match tick.filter(|tick| tick.decision.state == State::Unguarded) {
                Some(tick) => {
                    not_possible = true;
                    self.log(shared.clock.wall(), &tick, alert);
                }
                None => self.is_over(gpu),
            }
        }
        not_possible
    }

    fn log(&self, now: Moment, tick: &Tick, alert: &Alert) {
        let (gpu, why) = (&tick.identity, tick.decision.unguarded);
        if !self.is_news(&gpu.uuid, (tick.changed, why)) {
            return;
        }
        if let Some(Line { unsaid }) = self.lines.line(now) {
            let reason = why.map_or("unknown", Unguarded::name);
            let why = why.map_or("nothing can be done for it", Unguarded::explained);
            tracing::error!(gpu = gpu.index, uuid = %gpu.uuid, reason, alert = %alert.told(), unsaid, "an alert asks for what isn't possible: the GPU is unguarded: {why}");
        }
    }

    /// True once for each time that nothing can be done.
    fn is_news(&self, gpu: &Uuid, since: Since) -> bool {
        self.logged.lock().insert(gpu.clone(), since) != Some(since)
    }

    fn is_over(&self, gpu: &Uuid) {
        self.logged.lock().remove(gpu);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_logged_once_while_it_lasts() {
        let log = NotPossible::default();
        let (a, b) = (Uuid::new("GPU-a"), Uuid::new("GPU-b"));
        let since = |seconds| (Duration::from_secs(seconds), Some(Unguarded::NotOpen));
        assert!(log.is_news(&a, since(1)) && log.is_news(&b, since(1)));
        assert!(!log.is_news(&a, since(1)));
        assert!(log.is_news(&a, since(9)), "another time");
        assert!(log.is_news(&a, (Duration::from_secs(9), Some(Unguarded::NoPermission))));
        log.is_over(&b);
        assert!(log.is_news(&b, since(1)));
    }
}
