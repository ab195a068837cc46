//! Watches the control loops from beside. One that hangs inside the driver can't say so itself, and
//! can't slow its applications down, which is all that can still be done for its GPU.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::device::Uuid;
use crate::policy::AppMode;
use crate::units::Moment;

use super::events::{GpuName, What, trouble};
use super::shared::{Shared, Station};

/// A GPU hangs when its loop has waited for the driver for this many ticks, or for the floor. The
/// slowest calls known take a few hundred milliseconds.
const HANGING_TICKS: u32 = 2;
const HANGING_FLOOR: Duration = Duration::from_secs(2);

/// Between two looks at a loop that is late: it may be back, or have got into the driver.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Past the time from which a loop can hang, it does; the pulse counts milliseconds.
const A_MOMENT: Duration = Duration::from_millis(1);

/// Between two looks at the most: a reload may have made the patience shorter.
const LOOK_AT_LAST: Duration = HANGING_FLOOR;

/// After this long a loop of ticks of `period` counts as hung.
pub fn patience(period: Duration) -> Duration {
    (period * HANGING_TICKS).max(HANGING_FLOOR)
}

/// The watching thread.
pub(super) struct HangWatch {
    thread: JoinHandle<()>,
}

impl HangWatch {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let thread = thread::Builder::new().name("hang-watch".to_owned());
        let mut rounds = Rounds {
            shared,
            hanging: BTreeMap::new(),
        };
        let thread = thread.spawn(move || {
            while !rounds.shared.is_stopping() {
                let mut pause = rounds.look();
                if let Some(feed) = rounds.shared.feed() {
                    feed.stand_in(&rounds.shared);
                    pause = pause.min(feed.every());
                }
                thread::park_timeout(pause);
            }
        })?;
        Ok(Self { thread })
    }

    /// To be called when the guard is stopping.
    pub(super) fn end(self) {
        self.thread.thread().unpark();
        // It waits for nobody, so it ends at once.
        let _ = self.thread.join();
    }
}

/// When to look at a loop again that can hang `from` then on.
fn look_again(now: Moment, from: Moment) -> Moment {
    if from < now {
        now + LOOK_EVERY
    } else {
        from + A_MOMENT
    }
}

struct Rounds {
    shared: Arc<Shared>,
    /// Since when.
    hanging: BTreeMap<Uuid, Moment>,
}

impl Rounds {
    /// Returns how long no other look is needed: not before the first loop can hang. One that isn't
    /// there yet can't any sooner than after the patience.
    fn look(&mut self) -> Duration {
        let now = self.shared.clock.wall();
        let period = self.shared.live().poll_interval;
        let patience = patience(self.shared.clock.on_wall(period));
        let mut next = now + LOOK_AT_LAST;
        for station in self.shared.stations() {
            let uuid = &station.identity.uuid;
            let hangs = station.pulse.hangs(now, patience);
            match (hangs, self.hanging.get(uuid).copied()) {
                (true, None) => {
                    self.hanging.insert(uuid.clone(), now);
                    self.begin(&station);
                }
                (false, Some(since)) => {
                    self.hanging.remove(uuid);
                    self.end(&station, now.since(since));
                }
                _ => {}
            }
            next = next.min(look_again(now, station.pulse.hangs_from(patience)));
        }
        next.since(now)
    }

    /// Unseen is as good as hot: its applications slow down, if they weren't told worse already.
    fn begin(&self, station: &Station) {
        let identity = &station.identity;
        tracing::error!(gpu = identity.index, uuid = %identity.uuid, "the GPU hangs inside the driver: nothing can be read or set; its applications are told to slow down");
        let last = station.latest().map(|tick| tick.decision.targets.app);
        let mode = last.unwrap_or_default().max(AppMode::Gradual);
        self.shared.tell_apps(identity, mode);
        let trouble = trouble::HUNG.into();
        let what = What::TroubleBegan {
            trouble,
            detail: None,
        };
        self.shared.events.note(Some(GpuName::of(identity)), what);
    }

    /// The worker's next tick tells the applications what it decides.
    fn end(&self, station: &Station, hung: Duration) {
        let identity = &station.identity;
        let seconds = hung.as_secs_f64();
        tracing::warn!(gpu = identity.index, uuid = %identity.uuid, seconds, "the driver came back");
        let what = What::TroubleEnded {
            trouble: trouble::HUNG.into(),
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
    fn the_next_look_is_when_a_loop_can_hang_and_of_a_late_one_not_at_once() {
        let at = |millis| Moment::from_start(Duration::from_millis(millis));
        assert_eq!(look_again(at(5000), at(7300)), at(7301));
        assert_eq!(look_again(at(5000), at(5000)), at(5001));
        assert_eq!(look_again(at(5000), at(4999)), at(5500), "no busy loop");
    }

    #[test]
    fn a_node_without_gpus_is_looked_at_before_a_first_one_can_hang() {
        use crate::guard::{Clock, Live};
        use crate::policy::chain::{Chain, Expected};
        let chain = Chain::new(Expected::No, None, Moment::START);
        let (clock, live) = (Clock::start(1.0), Live::default());
        let shared = Shared::new(clock, chain, live, Box::new(|_, _| true));
        let mut rounds = Rounds {
            shared: Arc::new(shared),
            hanging: BTreeMap::new(),
        };
        assert!(rounds.look() <= patience(Duration::ZERO));
    }
}
