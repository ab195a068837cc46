//! The worker's card: opened, read, given up, known again; and taken over from a guard before.

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Cadence, Gpu, Missing, Reading};
use crate::policy::{Claim, Policy, Probe};
use crate::units::{Moment, Watts};

use super::super::actuate::Hand;
use super::super::clock::Clock;
use super::super::inherit::{Inherited, inherit, recount};
use super::super::journal::Entry;
use super::super::tally::Tally;
use super::super::tick::Permission;
use super::super::unread::{Look, join};
use super::Worker;
use super::energy::Counted;

/// Slow readings (fans, energy, ECC) cost milliseconds and change slowly.
const FULL_EVERY: Duration = Duration::from_secs(5);

/// Between two tries to open a lost card.
const REOPEN_EVERY: Duration = Duration::from_secs(2);

/// A limit of somebody else's is read so often more.
const LOOKS_AGAIN: u32 = 2;
/// NVML's "unknown error": two reads of one limit that differ.
const UNSURE: u32 = 999;

/// A core sensor that fails for this long: the handle may be stale.
const STALE_AFTER: Duration = Duration::from_secs(30);
/// Each further try waits twice as long, up to this.
const STALE_AT_MOST: Duration = Duration::from_secs(900);
const GIVES_UP: u32 = 5;

impl Worker {
    pub(super) fn attach(&mut self, now: Moment) {
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
            self.hand.set_permission(Permission::Observe);
        }
        if let Some(policy) = &mut self.policy {
            policy.reopened(self.identity.driver_version.as_deref());
            policy.recalibrate(&self.facts);
            self.tally.reopened += 1;
            // Opened anew on a mere suspicion, it wasn't away.
            if self.gave_up <= 1 {
                tracing::info!(gpu = self.identity.index, uuid = %self.identity.uuid, "GPU is back");
            }
        }
        self.hand.reopened(&self.identity);
        self.gpu = Some(gpu);
        self.full_at = None;
    }

    pub(super) fn read(&mut self, now: Moment) -> Reading {
        let Some(gpu) = &mut self.gpu else {
            return Reading::missing(now, Missing::Lost);
        };
        // Who woke us waits for a write: what is slow to read can wait for the tick in turn.
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
        self.hand.set_range(&self.facts);
        let reading = reading.plausible(&self.facts);
        let mut reading = Reading {
            limit: confirmed(gpu.as_mut(), reading.limit, self.hand.claim()),
            ..reading
        };
        if let (Some(left), Cadence::Full) = (&self.left, cadence) {
            reading = recount(gpu.as_mut(), left, reading);
        }
        if reading.is_lost() {
            tracing::error!(gpu = self.identity.index, uuid = %self.identity.uuid, "GPU lost: opened anew every {REOPEN_EVERY:?}; see dmesg, reset the GPU or reboot");
            self.gpu = None;
            self.tried = Some(now);
            return reading;
        }
        if cadence == Cadence::Full {
            self.full_at = Some(now);
            let energy = self.count_energy(now, &mut reading);
            self.meet(now, &reading, energy);
        }
        if reading.core.is_err() {
            self.tally.read_failures += 1;
            self.give_up_stale(now, reading.core == Err(Missing::NotSupported));
        } else {
            self.failing_since = None;
            self.gave_up = 0;
            self.last_success = Some(Clock::unix());
        }
        reading
    }

    pub(super) fn look_beside(&mut self, now: Moment) -> Vec<Probe> {
        let poll = self.live.poll_interval;
        self.probes.read(now, poll, &self.identity)
    }

    /// A handle whose core sensor only fails may be one of a driver that is gone without saying
    /// so: it is opened anew, and ever less often if that doesn't help. A card without such a sensor
    /// isn't one.
    fn give_up_stale(&mut self, now: Moment, unsupported: bool) {
        let since = *self.failing_since.get_or_insert(now);
        let wait = (STALE_AFTER * 2_u32.pow(self.gave_up)).min(STALE_AT_MOST);
        if !unsupported && now.since(since) >= wait {
            if self.gave_up == 0 {
                tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, "no core temperature for long: opening the GPU anew, and now and then from here on");
            }
            self.gave_up = (self.gave_up + 1).min(GIVES_UP);
            self.failing_since = None;
            self.gpu = None;
            self.tried = None;
        }
    }

    /// Only what the counter can have come to is kept of it.
    fn count_energy(&mut self, now: Moment, reading: &mut Reading) -> Option<Counted> {
        let told = reading.slow.energy_millijoules?;
        let counted = self.energy.count(now, told);
        reading.slow.energy_millijoules = match counted {
            Counted::On(believed) | Counted::Anew(believed) => Some(believed),
            Counted::Odd(before) => before,
        };
        Some(counted)
    }

    /// After a full reading: is this the card, the driver and the limit that we knew?
    fn meet(&mut self, now: Moment, reading: &Reading, energy: Option<Counted>) {
        let reloaded = matches!(energy, Some(Counted::Anew(_)));
        if reloaded && !self.hand.claim().is_empty() && !self.limit_is_ours(reading) {
            tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, "the driver was reloaded: limits are its defaults now");
            self.hand.forget(&mut self.tally);
        }
        if self.policy.is_none() {
            let mut policy = Policy::new(self.live.settings.clone(), &self.facts);
            policy.reopened(self.identity.driver_version.as_deref());
            self.policy = Some(policy);
        }
        if let (Some(left), Some(policy)) = (self.left.take(), &mut self.policy) {
            let (hand, tally) = (&mut self.hand, &mut self.tally);
            if hand.claim().is_empty() {
                adopt(hand, policy, now, &left, reading, tally);
            } else {
                take_up(hand, &left, reading, tally);
            }
        }
    }

    /// A journal that couldn't be read at first, looked at again beside the ticks.
    pub(super) fn look_for_left(&mut self, now: Moment) {
        let Some(unread) = &mut self.unread else {
            return;
        };
        let (gpu, uuid) = (self.identity.index, &self.identity.uuid);
        match unread.look(now) {
            Look::UnderWay => return,
            Look::Failed => {
                self.tally.journal_failures += 1;
                return;
            }
            Look::Done(Ok(left)) => {
                tracing::info!(gpu, %uuid, left = left.is_some(), "journal read");
                self.left = left;
            }
            Look::Done(Err(error)) => {
                tracing::error!(gpu, %uuid, %error, "journal not readable: what a dead guard left can't be given back; compare the GPU's limit with its default");
            }
        }
        self.unread = None;
        // What was left is compared with a full reading.
        self.full_at = None;
    }

    /// A reload leaves the default. A limit that is to the milliwatt what we set has seen none,
    /// whatever the energy counter says: taken for the original, it would never be given back.
    fn limit_is_ours(&self, reading: &Reading) -> bool {
        let default = self.facts.power.map(|power| power.default);
        self.hand
            .claim()
            .limit
            .is_some_and(|ours| reading.limit == Ok(ours.next) && Some(ours.next) != default)
    }
}

/// A limit that isn't ours is looked at again before it is believed: a single odd answer must not
/// become what is given back.
fn confirmed(
    gpu: &mut dyn Gpu,
    limit: Result<Watts, Missing>,
    claim: &Claim,
) -> Result<Watts, Missing> {
    let foreign = |limit: Watts| claim.limit.is_some_and(|ours| !ours.owns(limit));
    let mut limit = limit?;
    for _ in 0..LOOKS_AGAIN {
        if !foreign(limit) {
            break;
        }
        let Ok(again) = gpu.power_limit() else {
            return Err(Missing::Failed(UNSURE));
        };
        if again != limit && foreign(again) {
            return Err(Missing::Failed(UNSURE));
        }
        limit = again;
    }
    Ok(limit)
}

/// The same late, with something of ours on the card already.
fn take_up(hand: &mut Hand, left: &Entry, reading: &Reading, tally: &mut Tally) {
    let (gpu, uuid) = (hand.index(), &left.uuid);
    match join(hand, left, reading, tally) {
        Err(reason) => tracing::info!(gpu, %uuid, reason, "a dead guard's journal is void"),
        Ok(claim) => {
            let original = claim.limit.map(|limit| limit.original.as_f64());
            tracing::info!(gpu, %uuid, original, "what a dead guard left throttled is known now, and given back in the end");
        }
    }
}

/// Takes over what a guard before this one left, as far as it is still there and ours.
fn adopt(
    hand: &mut Hand,
    policy: &mut Policy,
    now: Moment,
    left: &Entry,
    reading: &Reading,
    tally: &mut Tally,
) {
    let (gpu, uuid) = (hand.index(), &left.uuid);
    match inherit(hand, left, reading, tally) {
        Inherited::Nothing(reason) => {
            tracing::info!(gpu, %uuid, reason, "a dead guard's journal is void");
        }
        Inherited::Ours => {}
        Inherited::AllButTheLimit => {
            let ours = left.claim.limit.map(|ours| ours.original.as_f64());
            let watts = reading.limit.map(Watts::as_f64).ok();
            tracing::warn!(gpu, %uuid, watts, original = ours, "somebody else changed the limit since a dead guard wrote it: theirs stands");
        }
    }
    let claim = *hand.claim();
    if !claim.is_empty() {
        tracing::info!(gpu, %uuid, "going on with what a dead guard left throttled");
        policy.adopt(now, &claim, &left.reason.doubts());
    }
}
