//! Watches the control loops from a thread of its own. A loop that hangs inside the driver can't
//! report that itself, and can't tell its applications to slow down. Slower applications are the only
//! help left for its GPU.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::device::{Identity, Uuid};
use crate::events::{GpuName, Trouble, What};
use crate::guard::state::{GpuHandle, Shared};
use crate::policy::AppMode;
use crate::units::Moment;

/// A GPU hangs when its loop has waited for the driver for this many ticks, or for the floor. The
/// slowest calls known take a few hundred milliseconds.
const HANGING_TICKS: u32 = 2;
const HANGING_FLOOR: Duration = Duration::from_secs(2);

/// Between two checks of a loop that is late: it may be back, or it may have entered the driver.
const LATE_CHECK_EVERY: Duration = Duration::from_millis(500);

/// The resolution of [`Liveness`](crate::guard::gpu::liveness::Liveness): a loop hangs once this has
/// passed after the time from which it can.
const RESOLUTION: Duration = Duration::from_millis(1);

/// Between two checks at most: a reload may have made the patience shorter.
const LONGEST_PAUSE: Duration = HANGING_FLOOR;

/// A loop that ticks every `period` counts as hung after this long in the driver.
pub fn patience(period: Duration) -> Duration {
    (period * HANGING_TICKS).max(HANGING_FLOOR)
}

/// The watching thread.
pub(crate) struct HangWatch {
    thread: JoinHandle<()>,
}

impl HangWatch {
    pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let thread = thread::Builder::new().name("hang-watch".to_owned());
        let mut rounds = Rounds {
            shared,
            hanging: BTreeMap::new(),
        };
        let thread = thread.spawn(move || {
            while !rounds.shared.is_stopping() {
                let mut pause = rounds.check();
                rounds.shared.feed_watchdog_for_loops();
                if let Some(period) = rounds.shared.watchdog_period() {
                    pause = pause.min(period);
                }
                thread::park_timeout(pause);
            }
        })?;
        Ok(Self { thread })
    }

    /// Call this when the guard is stopping.
    pub(crate) fn end(self) {
        self.thread.thread().unpark();
        // The thread never blocks, so it ends at once.
        let _ = self.thread.join();
    }
}

/// When to check a loop next that can hang from `from` on.
fn next_check(now: Moment, from: Moment) -> Moment {
    if from < now {
        now + LATE_CHECK_EVERY
    } else {
        from + RESOLUTION
    }
}

struct Rounds {
    shared: Arc<Shared>,
    /// The GPUs that hang, and since when.
    hanging: BTreeMap<Uuid, (Arc<Identity>, Moment)>,
}

impl Rounds {
    /// Returns how long no other check is needed: until the first loop can hang. A loop that starts
    /// meanwhile can't hang before the patience has passed.
    fn check(&mut self) -> Duration {
        let now = self.shared.clock.wall();
        let period = self.shared.live().poll_interval;
        let patience = patience(self.shared.clock.on_wall(period));
        let mut next = now + LONGEST_PAUSE;
        let handles = self.shared.gpu_handles();
        for gpu_handle in &handles {
            let identity = &gpu_handle.identity;
            let hangs = gpu_handle.liveness.hangs(now, patience);
            if hangs && !self.hanging.contains_key(&identity.uuid) {
                let entry = (identity.clone(), now);
                self.hanging.insert(identity.uuid.clone(), entry);
                self.begin(gpu_handle);
            }
            next = next.min(next_check(now, gpu_handle.liveness.hangs_from(patience)));
        }
        // One that the configuration no longer names has no worker any more, so its call came back.
        let hangs = |uuid: &Uuid| {
            let mut same = handles.iter().filter(|it| it.identity.uuid == *uuid);
            same.any(|it| it.liveness.hangs(now, patience))
        };
        let over: Vec<_> = self
            .hanging
            .keys()
            .filter(|it| !hangs(it))
            .cloned()
            .collect();
        for uuid in over {
            if let Some((identity, since)) = self.hanging.remove(&uuid) {
                self.end(&identity, now.since(since));
            }
        }
        next.since(now)
    }

    /// A GPU that can't be read is treated as hot: its applications slow down, unless they were told
    /// something stricter before.
    fn begin(&self, gpu_handle: &GpuHandle) {
        let identity = &gpu_handle.identity;
        tracing::error!(gpu = identity.index, uuid = %identity.uuid, "the GPU hangs inside the driver: nothing can be read or set; its applications are told to slow down");
        let last = gpu_handle.latest().map(|tick| tick.decision.targets.app);
        let mode = last.unwrap_or_default().max(AppMode::Gradual);
        self.shared.tell_apps(identity, mode);
        let trouble = Trouble::GpuHung.into();
        let what = What::TroubleBegan {
            trouble,
            detail: None,
        };
        self.shared.events.note(Some(GpuName::of(identity)), what);
    }

    /// The worker's next tick tells the applications what it decides.
    fn end(&self, identity: &Identity, hung: Duration) {
        let seconds = hung.as_secs_f64();
        tracing::warn!(gpu = identity.index, uuid = %identity.uuid, seconds, "the driver came back");
        let what = What::TroubleEnded {
            trouble: Trouble::GpuHung.into(),
            detail: None,
            seconds,
        };
        self.shared.events.note(Some(GpuName::of(identity)), what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_check_is_when_a_loop_can_hang_and_a_late_loop_is_not_checked_at_once() {
        let at = |millis| Moment::from_start(Duration::from_millis(millis));
        assert_eq!(next_check(at(5000), at(7300)), at(7301));
        assert_eq!(next_check(at(5000), at(5000)), at(5001));
        assert_eq!(next_check(at(5000), at(4999)), at(5500), "no busy loop");
    }

    #[test]
    fn a_node_without_gpus_is_checked_before_a_new_gpu_can_hang() {
        use crate::clock::Clock;
        use crate::guard::state::Live;
        use crate::policy::ask::chain::{Chain, Expected};
        let chain = Chain::new(Expected::No, None, Moment::START);
        let (clock, live) = (Clock::start(1.0), Live::default());
        let shared = Shared::new(clock, chain, live);
        let mut rounds = Rounds {
            shared: Arc::new(shared),
            hanging: BTreeMap::new(),
        };
        assert!(rounds.check() <= patience(Duration::ZERO));
    }
}
