//! The fans: all of them at their highest speed, and back to who set them before.
//!
//! A fan that a program sets no longer follows the temperature, so nothing is set that isn't on disk
//! first, and a fan that was automatic becomes automatic again, whatever was set in between.

use crate::device::{ActuatorError, FanSetting, Gpu, Knob};
use crate::policy::{Claim, FanTarget, Outcome, Write};

use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::claiming::Direction;
use crate::guard::outcomes::{Action, ActionResult};

/// The highest speed of a card that doesn't tell it, in percent.
const HIGHEST: u32 = 100;
/// A card may store a speed this much lower, in percent.
const ROUNDS_BY: u32 = 5;

impl Actuation {
    pub(crate) fn apply_fans(&mut self, gpu: &mut dyn Gpu, target: FanTarget) {
        match target {
            FanTarget::Full if self.fans.count > 0 && !self.fans.confirmed => self.speed_up(gpu),
            FanTarget::Full | FanTarget::Kept => {}
            FanTarget::AsBefore => {
                let may = self.may_loosen && !self.waits(Knob::Fan, true);
                if may && self.claim.fans.any() {
                    self.leave_fans(gpu);
                } else if !self.claim.fans.any() {
                    self.fans.confirmed = false;
                }
            }
        }
    }

    fn highest(&self) -> u32 {
        self.fans.highest.unwrap_or(HIGHEST)
    }

    /// A program has set this fan to its highest speed, as nearly as the card stores speeds.
    fn is_full(&self, setting: FanSetting) -> bool {
        matches!(setting, FanSetting::Manual { percent } if percent.saturating_add(ROUNDS_BY) >= self.highest())
    }

    fn speed_up(&mut self, gpu: &mut dyn Gpu) {
        if !gpu.writes() {
            self.fans.confirmed = true;
            self.count(Action::Fan, ActionResult::Observed);
            return;
        }
        let result = match self.claim_fans(gpu) {
            Err(error) => error.into(),
            Ok(Claimed::NotOnDisk) => ActionResult::Unjournaled,
            Ok(Claimed::OnDisk) => self.set_full(gpu),
        };
        self.fans.confirmed = result == ActionResult::Ok;
        self.outcomes.writes[Knob::Fan] = Some(Write {
            value: self.highest(),
            stored: None,
            slows: true,
            varied: false,
            outcome: Outcome::from(result),
        });
        self.done(Action::Fan, result);
    }

    /// Reads who sets each fan, and puts that on disk. A fan of which it can't be read couldn't be
    /// given back.
    fn claim_fans(&mut self, gpu: &mut dyn Gpu) -> Result<Claimed, ActuatorError> {
        let before = self.claim;
        let mut claim = before;
        for fan in 0..self.fans.count {
            if claim.fans.of(fan).is_none() {
                claim.fans.set(fan, Some(agreed(gpu, fan)?));
            }
        }
        if self.journal(claim, &Direction::Raising) {
            return Ok(Claimed::OnDisk);
        }
        self.claim = before;
        Ok(Claimed::NotOnDisk)
    }

    /// The first failure, if one of them fails.
    fn set_full(&mut self, gpu: &mut dyn Gpu) -> ActionResult {
        let percent = self.highest();
        let mut failure = None;
        for (fan, original) in self.claim.fans.iter().collect::<Vec<_>>() {
            if gpu.fan(fan).is_ok_and(|now| self.is_full(now)) {
                continue;
            }
            let result = gpu.set_fan(fan, FanSetting::Manual { percent });
            let now = gpu.fan(fan);
            let result = match (result, now) {
                (Ok(()), Ok(now)) if self.is_full(now) => continue,
                (Ok(()), Ok(_)) => ActionResult::NotTaken,
                (Ok(()), Err(error)) | (Err(error), _) => error.into(),
            };
            if now == Ok(original) {
                self.release(fan);
            }
            failure.get_or_insert(result);
        }
        failure.unwrap_or(ActionResult::Ok)
    }

    fn leave_fans(&mut self, gpu: &mut dyn Gpu) {
        let mut failure = None;
        for (fan, original) in self.claim.fans.iter().collect::<Vec<_>>() {
            match self.leave_fan(gpu, fan, original) {
                ActionResult::Ok => self.release(fan),
                result => failure = failure.or(Some(result)),
            }
        }
        if failure.is_some() {
            self.put_off(Knob::Fan);
        }
        self.fans.confirmed = false;
        self.done(Action::FanReset, failure.unwrap_or(ActionResult::Ok));
    }

    fn leave_fan(&self, gpu: &mut dyn Gpu, fan: usize, original: FanSetting) -> ActionResult {
        match gpu.fan(fan) {
            Ok(now) if now == original => return ActionResult::Ok,
            // Another program has set it since, as one had before: it stays as that one set it.
            Ok(now) if original != FanSetting::Automatic && !self.is_full(now) => {
                tracing::warn!(gpu = self.index, uuid = %self.uuid, fan, "somebody else has set this fan since: it stays as they set it");
                return ActionResult::Ok;
            }
            _ => {}
        }
        match (gpu.set_fan(fan, original), gpu.fan(fan)) {
            (Ok(()), Ok(now)) if now == original => ActionResult::Ok,
            (Ok(()), Ok(_)) => ActionResult::NotTaken,
            (Ok(()), Err(error)) | (Err(error), _) => error.into(),
        }
    }

    /// The fan is as it was before.
    fn release(&mut self, fan: usize) {
        let mut fans = self.claim.fans;
        fans.set(fan, None);
        self.record(Claim { fans, ..self.claim });
    }
}

/// Who sets a fan, as two of three answers say. A single odd one must not become what is given back: it
/// would take the card its fan curve.
fn agreed(gpu: &mut dyn Gpu, fan: usize) -> Result<FanSetting, ActuatorError> {
    let mut answers = [gpu.fan(fan)?, gpu.fan(fan)?];
    if answers[0] != answers[1] {
        let third = gpu.fan(fan)?;
        if !answers.contains(&third) {
            return Err(ActuatorError::OutOfRange);
        }
        answers[0] = third;
    }
    match answers[0] {
        // No card can be given it back.
        FanSetting::Manual { percent } if percent > HIGHEST => Err(ActuatorError::OutOfRange),
        setting => Ok(setting),
    }
}

/// Whether the settings to give back are on disk.
enum Claimed {
    OnDisk,
    NotOnDisk,
}
