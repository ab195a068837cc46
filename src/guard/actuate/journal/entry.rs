//! The journal's entry for one GPU, and how much of it still applies.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::device::{ByClock, ClockRange, FanPolicy, FanSetting, Reading, Uuid};
use crate::policy::{BySensor, Claim, Doubt, LimitClaim, Sensor, State};
use crate::units::Watts;

/// A guard's claim on a GPU, with evidence of whether it is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub uuid: Uuid,
    pub claim: Claim,
    /// A reboot clears limits and locks.
    pub boot_id: String,
    /// So does a driver reload, which sets this counter back.
    pub energy_millijoules: Option<u64>,
    /// Of each clock, the slowest lock that may be on the card.
    pub locks: ByClock<Option<ClockRange>>,
    /// The last limit was read back: a limit on the card that the claim doesn't list is somebody else's.
    pub confirmed: bool,
    pub reason: Reason,
    /// Since when the claim is held, since the Unix epoch.
    pub since: Option<Duration>,
}

/// Why the claim is held. The next guard must not trust the doubted sensors.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reason {
    /// The GPU's state. `None`: not known, as in a journal of an older guard.
    pub state: Option<State>,
    pub doubted: BySensor<Option<Doubt>>,
    /// The sensors in files that were above safe since the claim began. If one of them can't be read, the
    /// next guard doesn't know better.
    pub hot_files: Vec<Arc<str>>,
}

impl Reason {
    pub fn doubts(&self) -> Vec<(Sensor, Doubt)> {
        let doubted = self.doubted.iter();
        doubted
            .filter_map(|(sensor, doubt)| Some((sensor, (*doubt)?)))
            .collect()
    }
}

impl Entry {
    /// The part of the claim that may still be on the GPU. A limit counts only if it is one of the
    /// claim's values. `Err`: none of it can be there, and why.
    pub fn still_there(&self, reading: &Reading) -> Result<Claim, &'static str> {
        if self.boot_id != boot_id() {
            return Err("the machine was rebooted");
        }
        let energy = self.energy_millijoules.zip(reading.slow.energy_millijoules);
        // If the limit is to the milliwatt what was set, there was no reload, whatever the counter says.
        let shows =
            |limit: LimitClaim| limit.next != limit.original && reading.limit == Ok(limit.next);
        let still_set = self.claim.limit.is_some_and(shows) || shows_fans(&self.claim, reading);
        if energy.is_some_and(|(then, now)| now < then) && !still_set {
            return Err("the driver was reloaded");
        }
        let ours = |limit: LimitClaim| match reading.limit {
            Ok(now) => self.as_stored(limit, now),
            Err(_) => Some(limit),
        };
        Ok(Claim {
            limit: self.claim.limit.and_then(ours),
            ..self.claim
        })
    }

    /// The energy counter, unless it began again with this boot.
    pub fn energy_of_this_boot(&self) -> Option<u64> {
        self.energy_millijoules
            .filter(|_| self.boot_id == boot_id())
    }

    /// The claim on the limit that is on the card. If a guard died before it read its last write back,
    /// the card may have stored a limit between the two: then that limit is part of the claim.
    fn as_stored(&self, limit: LimitClaim, now: Watts) -> Option<LimitClaim> {
        if limit.owns(now) {
            return Some(limit);
        }
        let next = now;
        (!self.confirmed && limit.spans(now)).then_some(LimitClaim { next, ..limit })
    }
}

/// A fan that was automatic before the guard is still set by a program: a reload makes it automatic.
pub(crate) fn shows_fans(claim: &Claim, reading: &Reading) -> bool {
    let fans = &reading.slow.fans;
    let mut claimed = claim.fans.iter();
    claimed.any(|(fan, original)| {
        let now = fans.get(fan).and_then(|fan| fan.policy);
        original == FanSetting::Automatic && now == Some(FanPolicy::Manual)
    })
}

/// This boot's identity: limits and locks don't survive it.
pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
