//! Whether anything can be done for the GPUs of an alert that has a lease. The lease stands either
//! way: what can't be done now may be possible on the next tick.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::device::Uuid;
use crate::guard::Tick;
use crate::policy::{State, Unguarded};
use crate::web::Web;
use crate::web::sparing::{Line, Sparing};

use super::{Alert, hex};

/// Since when nothing can be done for a GPU, and why.
type Since = (Duration, Option<Unguarded>);

/// What the log was told already: each GPU once while it lasts.
pub(in crate::web) struct InVain {
    told: Mutex<BTreeMap<Uuid, Since>>,
    lines: Sparing,
}

impl Default for InVain {
    fn default() -> Self {
        Self {
            told: Mutex::default(),
            // As of leases that come and go; a card that comes and goes fills no disk.
            lines: Sparing::new(20, Duration::from_secs(60)),
        }
    }
}

impl InVain {
    /// True once, for each time that nothing can be done.
    fn is_news(&self, gpu: &Uuid, since: Since) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(gpu.clone(), since) != Some(since)
    }

    fn is_over(&self, gpu: &Uuid) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(gpu);
    }
}

/// Whether nothing can be done for one of `gpus`, by its latest tick. In `observe` nothing is to be
/// done; a pause and `max_hold` are the operator's own wish.
pub(super) fn is_in_vain(web: &Web, gpus: &[Uuid], alert: &Alert) -> bool {
    if web.shared.live().observes {
        return false;
    }
    let mut in_vain = false;
    for gpu in gpus {
        let tick = web.shared.station(gpu).and_then(|it| it.latest());
        match tick.filter(|tick| tick.decision.state == State::Unguarded) {
            Some(tick) => {
                in_vain = true;
                tell(web, &tick, alert);
            }
            None => web.in_vain.is_over(gpu),
        }
    }
    in_vain
}

fn tell(web: &Web, tick: &Tick, alert: &Alert) {
    let (gpu, why) = (&tick.identity, tick.decision.unguarded);
    if !web.in_vain.is_news(&gpu.uuid, (tick.changed, why)) {
        return;
    }
    if let Some(Line { unsaid }) = web.in_vain.lines.line(web.shared.clock.wall()) {
        let reason = why.map_or("unknown", Unguarded::name);
        let why = why.map_or("nothing can be done for it", Unguarded::explained);
        tracing::error!(gpu = gpu.index, uuid = %gpu.uuid, reason, alert = %hex(alert), unsaid, "an alert asks for what isn't possible: the GPU is unguarded: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_told_of_once_while_it_lasts() {
        let told = InVain::default();
        let (a, b) = (Uuid::new("GPU-a"), Uuid::new("GPU-b"));
        let since = |seconds| (Duration::from_secs(seconds), Some(Unguarded::NotOpen));
        assert!(told.is_news(&a, since(1)) && told.is_news(&b, since(1)));
        assert!(!told.is_news(&a, since(1)));
        assert!(told.is_news(&a, since(9)), "another time");
        assert!(told.is_news(&a, (Duration::from_secs(9), Some(Unguarded::NoPermission))));
        told.is_over(&b);
        assert!(told.is_news(&b, since(1)));
    }
}
