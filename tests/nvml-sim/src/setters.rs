//! The setters of NVML, which may do something else than they are told; what other hands do to a
//! card, in [`crate::operate`], always happens.

use thermal_guard::sim::faults::bits;
use thermal_guard::sim::profile::LimitOffer;

use crate::code::{Code, Outcome};
use crate::layout::{Card, Lock};
use crate::operate::{lock_memory, lock_sm};

/// Sets the requested limit at `now`: stores what the call was `told` to, or what the setter makes of
/// the number.
pub fn request_limit(card: &mut Card, now: f64, milliwatts: u32, told: Option<i64>) -> Outcome {
    let setter = card.faults.power_limit;
    let (min, max) = card.faults.told.range(card.profile());
    let stored = match told {
        Some(number) => Some(bits(number)),
        None if card.profile().limit != LimitOffer::Settable => return Err(Code::NotSupported),
        None => setter.take(milliwatts, min..=max).map_err(Code::Told)?,
    };
    if let Some(stored) = stored {
        card.pending.limit.store(&setter, now, card.limit);
        card.limit = stored;
    }
    Ok(())
}

/// A clock with a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    Sm,
    Memory,
}

/// Locks a clock as its setter does it; see [`request_limit`].
pub fn request_lock(
    card: &mut Card,
    domain: Domain,
    now: f64,
    (min, max): (u32, u32),
    told: Option<i64>,
) -> Outcome {
    let lock = match domain {
        Domain::Sm => lock_sm,
        Domain::Memory => lock_memory,
    };
    let setter = match domain {
        Domain::Sm => card.faults.gpu_clock,
        Domain::Memory => card.faults.memory_clock,
    };
    let stored = match told {
        Some(number) => Some((min.min(bits(number)), bits(number))),
        None => setter.take_lock(min, max).map_err(Code::Told)?,
    };
    let Some((min, max)) = stored else {
        // What the card can't take is refused all the same.
        let mut like_it = *card;
        return lock(&mut like_it, min, max);
    };
    lock(card, min, max)?;
    let pending = match domain {
        Domain::Sm => &mut card.pending.sm_lock,
        Domain::Memory => &mut card.pending.memory_lock,
    };
    pending.store(&setter, now, 0);
    Ok(())
}

/// Resets a clock as its setter does it.
pub fn request_reset(card: &mut Card, domain: Domain) -> Outcome {
    let has_lock = crate::cards::product(card.profile()).memory_lock;
    if domain == Domain::Memory && !has_lock {
        return Err(Code::NotSupported);
    }
    let (setter, lock) = match domain {
        Domain::Sm => (&card.faults.gpu_clock, &mut card.sm_lock),
        Domain::Memory => (&card.faults.memory_clock, &mut card.memory_lock),
    };
    if setter.take_reset().map_err(Code::Told)? {
        *lock = Lock::NONE;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use thermal_guard::sim::faults::Setter;
    use thermal_guard::sim::profile;

    use super::*;

    fn card() -> Card {
        let profile = profile::named("rtx-6000-ada").expect("profile");
        Card::new(profile, "GPU-0", 25.0)
    }

    #[test]
    fn a_limit_is_stored_as_its_setter_misbehaves() {
        let mut card = card();
        let mut request = |setter, milliwatts, told| {
            card.faults.power_limit = setter;
            let outcome = request_limit(&mut card, 0.0, milliwatts, told);
            (crate::code::number(&outcome), card.limit)
        };
        let well = Setter::NONE;
        assert_eq!(request(well, 250_000, None), (0, 250_000));
        assert_eq!(request(well, 1, None), (2, 250_000));
        assert_eq!(
            request(Setter::quantise(7_000, 0), 250_000, None),
            (0, 245_000)
        );
        assert_eq!(
            request(Setter::clamp(200_000, 220_000), 1, None),
            (0, 200_000)
        );
        assert_eq!(request(Setter::refuse(999), 250_000, None), (999, 200_000));
        assert_eq!(request(Setter::ignore(), 250_000, None), (0, 200_000));
        assert_eq!(request(Setter::refuse(999), 250_000, Some(1)), (0, 1));
    }

    #[test]
    fn an_ignored_lock_is_one_that_the_card_would_have_taken() {
        let mut card = card();
        card.faults.gpu_clock = Setter::ignore();
        let request = |card: &mut Card, ends| request_lock(card, Domain::Sm, 0.0, ends, None);
        assert_eq!(request(&mut card, (210, 900)), Ok(()));
        assert_eq!(request(&mut card, (900, 210)), Err(Code::InvalidArgument));
        assert_eq!(card.sm_lock, Lock::NONE);
        card.faults.gpu_clock = Setter::refuse(4);
        assert_eq!(request_reset(&mut card, Domain::Sm), Err(Code::Told(4)));
    }
}
