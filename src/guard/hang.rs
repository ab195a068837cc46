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

/// Between two looks: late by a quarter of the patience at most.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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
                rounds.look();
                thread::park_timeout(LOOK_EVERY);
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

struct Rounds {
    shared: Arc<Shared>,
    /// Since when.
    hanging: BTreeMap<Uuid, Moment>,
}

impl Rounds {
    fn look(&mut self) {
        let now = self.shared.clock.wall();
        let period = self.shared.live().poll_interval;
        let patience = patience(self.shared.clock.on_wall(period));
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
        }
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
