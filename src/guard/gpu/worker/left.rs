//! What a dead guard left on the card: taken over at the first full reading, or later, when its journal
//! can be read.

use crate::device::Reading;
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::journal::{Entry, shows_fans};
use crate::guard::actuate::takeover::{TakenOver, take_over};
use crate::guard::actuate::unread::{ReadAttempt, join};
use crate::policy::Policy;
use crate::units::{Moment, Watts};

use super::energy::Counted;
use super::state::Worker;

impl Worker {
    /// After a full reading: checks for a reload of the driver, and takes over what a dead guard left.
    pub(super) fn meet(&mut self, now: Moment, reading: &Reading, energy: Option<Counted>) {
        let reloaded = matches!(energy, Some(Counted::Restarted(_)));
        if reloaded && !self.actuation.claim().is_empty() && !self.limit_is_ours(reading) {
            tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, "the driver was reloaded: limits are its defaults now");
            self.actuation.forget();
        }
        if self.policy.is_none() {
            let mut policy = Policy::new(self.live.settings.clone(), &self.facts);
            policy.reopened(self.identity.driver_version.as_deref());
            self.policy = Some(policy);
        }
        if let (Some(left), Some(policy)) = (self.left.take(), &mut self.policy) {
            let actuation = &mut self.actuation;
            self.probes.left_hot(&left.reason.hot_files);
            if actuation.claim().is_empty() {
                adopt(actuation, policy, now, &left, reading);
            } else {
                take_up(actuation, policy, &left, reading);
            }
        }
    }

    /// Tries again to read a journal that couldn't be read at first.
    pub(crate) fn read_left_journal(&mut self, now: Moment) {
        let Some(unread) = &mut self.unread else {
            return;
        };
        let (gpu, uuid) = (self.identity.index, &self.identity.uuid);
        match unread.try_read(now) {
            ReadAttempt::UnderWay => return,
            ReadAttempt::Failed => {
                self.outcomes.journal_failures += 1;
                return;
            }
            ReadAttempt::Done(Ok(left)) => {
                tracing::info!(gpu, %uuid, left = left.is_some(), "journal read");
                self.left = left;
            }
            ReadAttempt::Done(Err(error)) => {
                tracing::error!(gpu, %uuid, %error, "journal not readable: what the guard before left can't be given back; compare the GPU's limit with its default");
            }
        }
        self.unread = None;
        // The claim must be compared with a full reading.
        self.full_at = None;
    }

    /// The limit on the card is to the milliwatt one that the guard set or found, or a fan is still set by a
    /// program. Then there was no reload, whatever the energy counter says: a reload sets the default.
    /// A limit of the guard's that was taken for the original would never be given back.
    fn limit_is_ours(&self, reading: &Reading) -> bool {
        let default = self.facts.power.map(|power| power.default);
        let claim = self.actuation.claim();
        let shown = reading.limit.ok().filter(|limit| Some(*limit) != default);
        let is_ours = |limit: Watts| {
            let claimed = claim.limit.is_some_and(|ours| ours.owns(limit));
            claimed || self.actuation.has_set_lately(limit)
        };
        shown.is_some_and(is_ours) || shows_fans(claim, reading)
    }
}

/// The same, late, when this guard has a claim already.
fn take_up(actuation: &mut Actuation, policy: &mut Policy, left: &Entry, reading: &Reading) {
    let (gpu, uuid) = (actuation.index(), &left.uuid);
    match join(actuation, left, reading) {
        Err(reason) => {
            tracing::info!(gpu, %uuid, reason, "the journal of the guard before is void");
        }
        Ok(claim) => {
            policy.inherit(&left.reason.doubts());
            let original = claim.limit.map(|limit| limit.original.as_f64());
            tracing::info!(gpu, %uuid, original, "what the guard before left throttled is known now, and will be given back");
        }
    }
}

/// Takes over what a dead guard left, as far as it is still there.
fn adopt(
    actuation: &mut Actuation,
    policy: &mut Policy,
    now: Moment,
    left: &Entry,
    reading: &Reading,
) {
    let (gpu, uuid) = (actuation.index(), &left.uuid);
    match take_over(actuation, left, reading) {
        TakenOver::Nothing(reason) => {
            tracing::info!(gpu, %uuid, reason, "the journal of the guard before is void");
        }
        TakenOver::All => {}
        TakenOver::AllButTheLimit => {
            let ours = left.claim.limit.map(|ours| ours.original.as_f64());
            let watts = reading.limit.map(Watts::as_f64).ok();
            tracing::warn!(gpu, %uuid, watts, original = ours, "somebody else changed the limit since the guard before wrote it: it stays as they set it");
        }
    }
    let claim = *actuation.claim();
    if !claim.is_empty() {
        tracing::info!(gpu, %uuid, "continuing with what the guard before left throttled");
        policy.adopt(now, &claim, &left.locks, &left.reason.doubts());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::ClockDomain::Gpu;
    use crate::device::{ByClock, ClockRange, Facts, Missing, Uuid};
    use crate::guard::actuate::journal::{Journal, Reason, boot_id};
    use crate::policy::{BySensor, Claim, Doubt, Sensor, Settings};
    use crate::units::Megahertz;

    fn entry(from: u32, to: u32) -> Entry {
        let mut claim = Claim::default();
        claim.writing(Watts::from_watts(from), Watts::from_watts(to));
        Entry {
            uuid: Uuid::new("GPU-1"),
            claim,
            boot_id: boot_id(),
            energy_millijoules: None,
            locks: ByClock::default(),
            confirmed: true,
            reason: Reason::default(),
            since: None,
        }
    }

    #[test]
    fn what_a_dead_guard_doubted_is_doubted_however_late_its_journal_is_read() {
        let journal = Journal::none();
        let mut actuation = Actuation::new(Uuid::new("GPU-1"), journal.clone());
        actuation.adopt(&entry(192, 100), true);
        let mut policy = Policy::new(Settings::default(), &Facts::default());
        let mut left = entry(400, 192);
        left.reason.doubted = BySensor::of(|it| (it == Sensor::Core).then_some(Doubt::Frozen));
        let lock = Some(ClockRange {
            min: Megahertz::new(210),
            max: Megahertz::new(700),
        });
        left.claim.locks = ByClock::only(Gpu, true);
        left.locks = ByClock::only(Gpu, lock);
        let reading = Reading {
            limit: Ok(Watts::from_watts(100)),
            ..Reading::missing(Moment::START, Missing::NotSupported)
        };
        take_up(&mut actuation, &mut policy, &left, &reading);
        let original = actuation.claim().limit.map(|ours| ours.original);
        assert_eq!(original, Some(Watts::from_watts(400)));
        assert!(policy.doubted()[Sensor::Core].is_some());
        assert_eq!(journal.latest().map(|it| it.locks[Gpu]), Some(lock));
    }
}
