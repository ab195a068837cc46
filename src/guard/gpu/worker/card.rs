//! The worker's card: opened, read, and given up when its handle seems stale.

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Cadence, Gpu, Missing, Reading};
use crate::policy::ExtraSensor;
use crate::units::Moment;

use super::energy::Counted;
use super::state::Worker;
use crate::clock::Clock;
use crate::guard::actuate::journal::Entry;
use crate::guard::actuate::takeover::confirmed;
use crate::guard::tick::Permission;

/// Slow readings (fans, energy, ECC) cost milliseconds and change slowly.
const FULL_EVERY: Duration = Duration::from_secs(5);

/// Between two tries to open a lost card.
const REOPEN_EVERY: Duration = Duration::from_secs(2);

/// If the core sensor fails for this long, the handle may be stale.
const STALE_AFTER: Duration = Duration::from_secs(30);
/// Each further try waits twice as long, up to this.
const STALE_AT_MOST: Duration = Duration::from_secs(900);
const GIVES_UP: u32 = 5;

impl Worker {
    pub(crate) fn attach(&mut self, now: Moment) {
        if self.gpu.is_some() || self.tried.is_some_and(|at| now.since(at) < REOPEN_EVERY) {
            return;
        }
        let first = self.tried.is_none();
        self.tried = Some(now);
        match self.driver.open(&self.identity.uuid) {
            Ok(gpu) => self.opened(gpu),
            Err(error) => {
                self.absence.refused(&error);
                if first {
                    tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, %error, "GPU can't be opened: tried again every {REOPEN_EVERY:?}; see dmesg and nvidia-smi");
                }
            }
        }
    }

    fn opened(&mut self, gpu: Box<dyn Gpu>) {
        self.identity = gpu.identity().clone();
        self.facts = gpu.facts().clone();
        self.probes.choose(&self.live.sensors, &self.identity);
        if !gpu.writes() {
            self.actuation.set_permission(Permission::Observe);
        }
        if let Some(policy) = &mut self.policy {
            policy.reopened(self.identity.driver_version.as_deref());
            policy.recalibrate(&self.facts);
            self.outcomes.reopened = true;
            // A card that was opened again on a suspicion was never away.
            if self.gave_up <= 1 {
                tracing::info!(gpu = self.identity.index, uuid = %self.identity.uuid, "GPU is back");
            }
        }
        self.actuation.reopened(&self.identity);
        self.gpu = Some(gpu);
        self.full_at = None;
    }

    pub(crate) fn read(&mut self, now: Moment) -> Reading {
        let Some(gpu) = &mut self.gpu else {
            return Reading::missing(now, Missing::Lost);
        };
        // A caller that woke this worker waits for a write: slow readings can wait for the next tick in
        // turn.
        let is_fast = |at| self.woken || now.since(at) < FULL_EVERY;
        let fast = self.full_at.is_some_and(is_fast);
        let cadence = if fast { Cadence::Fast } else { Cadence::Full };
        let reading = gpu.read(now, cadence);
        if !Arc::ptr_eq(gpu.facts(), &self.facts) {
            self.facts = gpu.facts().clone();
            if let Some(policy) = &mut self.policy {
                policy.recalibrate(&self.facts);
            }
        }
        self.actuation.set_range(&self.facts);
        let reading = reading.plausible(&self.facts);
        // What a dead guard left is believed until the card contradicts it twice.
        let left = self.left.as_ref().map(|left| &left.claim);
        let claim = left.unwrap_or_else(|| self.actuation.claim());
        let mut reading = Reading {
            limit: confirmed(gpu.as_mut(), reading.limit, claim),
            ..reading
        };
        if reading.is_lost() {
            tracing::error!(gpu = self.identity.index, uuid = %self.identity.uuid, "GPU lost: trying to open it again every {REOPEN_EVERY:?}; see dmesg, reset the GPU or reboot");
            self.gpu = None;
            self.tried = Some(now);
            return reading;
        }
        if cadence == Cadence::Full {
            self.full_at = Some(now);
            let energy = self.count_energy(now, &mut reading);
            self.meet(now, &reading, energy);
        } else if let Some(believed) = self.energy.believed() {
            // The slow readings are those of the last full one, and this may have been an odd one.
            reading.slow.energy_millijoules = Some(believed);
        }
        if reading.core.is_err() {
            self.outcomes.read_failed = true;
            self.give_up_stale(now, reading.core == Err(Missing::NotSupported));
        } else {
            self.failing_since = None;
            self.gave_up = 0;
            self.last_success = Some(Clock::unix());
        }
        reading
    }

    pub(crate) fn read_extra(&mut self, now: Moment) -> Vec<ExtraSensor> {
        let poll = self.live.poll_interval;
        self.probes.read(now, poll, &self.identity)
    }

    /// A handle whose core sensor only fails may belong to a driver that is gone without saying so. The
    /// card is opened again, and less and less often if that doesn't help. A card without a core sensor
    /// is no such case.
    fn give_up_stale(&mut self, now: Moment, unsupported: bool) {
        let since = *self.failing_since.get_or_insert(now);
        let wait = (STALE_AFTER * 2_u32.pow(self.gave_up)).min(STALE_AT_MOST);
        if !unsupported && now.since(since) >= wait {
            if self.gave_up == 0 {
                tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, "no core temperature for long: opening the GPU again, and now and then from here on");
            }
            self.gave_up = (self.gave_up + 1).min(GIVES_UP);
            self.failing_since = None;
            self.gpu = None;
            self.tried = None;
        }
    }

    /// Replaces an implausible counter value by the last believed one.
    fn count_energy(&mut self, now: Moment, reading: &mut Reading) -> Option<Counted> {
        let told = reading.slow.energy_millijoules?;
        if let Some(noted) = self.left.as_ref().and_then(Entry::energy_of_this_boot) {
            self.energy.compare(now, told, noted);
        }
        let counted = self.energy.count(now, told);
        reading.slow.energy_millijoules = match counted {
            Counted::Continued(believed) | Counted::Restarted(believed) => Some(believed),
            Counted::Odd(before) => before,
        };
        Some(counted)
    }
}
