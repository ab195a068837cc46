//! Which constants of a card are known, and which to ask for again.
//!
//! A constant that can't be read is left out and asked for again, so that the card is guarded with
//! the ones it gives. A constant that the card refuses again and again doesn't exist.

use std::collections::BTreeMap;

use nvml_wrapper::error::NvmlError;
use tracing::{info, warn};

use crate::device::Uuid;

use super::codes::{Failure, Fault, code};
use super::unsupported::Offer;

/// A call of NVML, and which of its answers if it gives several.
pub(crate) type Key = (&'static str, u32);

/// The state of each constant of one card.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    standings: BTreeMap<Key, Standing>,
    /// The GPU for the log. `None`: nothing is logged.
    gpu: Option<(u32, Uuid)>,
}

#[derive(Debug, Default)]
struct Standing {
    offer: Offer,
    told: bool,
    /// The log has said that it is left out.
    said: bool,
}

impl Ledger {
    /// A ledger that logs which constants are left out, and when one can be read after all.
    pub(crate) fn of(index: u32, uuid: Uuid) -> Self {
        Self {
            standings: BTreeMap::new(),
            gpu: Some((index, uuid)),
        }
    }

    pub(crate) fn is_told(&self, key: Key) -> bool {
        self.standings.get(&key).is_some_and(|it| it.told)
    }

    /// It is known or never offered, so it isn't asked for again.
    pub(crate) fn is_settled(&self, key: Key) -> bool {
        let standing = self.standings.get(&key);
        standing.is_some_and(|it| it.told || it.offer == Offer::Never)
    }

    /// Asks for a constant that isn't known yet. `None`: nothing new. Fails only if the card or the
    /// driver is gone.
    pub(crate) fn ask<T>(
        &mut self,
        key: Key,
        read: impl FnOnce() -> Result<T, NvmlError>,
    ) -> Result<Option<T>, Failure> {
        if self.is_told(key) {
            return Ok(None);
        }
        self.ask_again(key, read)
    }

    /// The same for a value that may change: it is also asked for when it is known.
    pub(crate) fn ask_again<T>(
        &mut self,
        key: Key,
        read: impl FnOnce() -> Result<T, NvmlError>,
    ) -> Result<Option<T>, Failure> {
        if self.standings.entry(key).or_default().offer == Offer::Never {
            return Ok(None);
        }
        match read() {
            Ok(value) => {
                self.told(key);
                Ok(Some(value))
            }
            Err(error) => {
                let failure = Failure::new(key.0, error);
                self.failed(key, &failure);
                match failure.fault {
                    Fault::Lost(_) => Err(failure),
                    _ => Ok(None),
                }
            }
        }
    }

    fn told(&mut self, key: Key) {
        let standing = self.standings.entry(key).or_default();
        standing.offer.note(false);
        standing.told = true;
        if std::mem::take(&mut standing.said)
            && let Some((index, uuid)) = &self.gpu
        {
            info!(gpu = index, %uuid, call = key.0, "what was left out can be read now");
        }
    }

    fn failed(&mut self, key: Key, failure: &Failure) {
        let standing = self.standings.entry(key).or_default();
        let refused = !matches!(failure.fault, Fault::Transient(_) | Fault::Lost(_));
        standing.offer.note(refused);
        let is_news = matches!(failure.fault, Fault::Transient(_)) && !standing.told;
        if is_news
            && !std::mem::replace(&mut standing.said, true)
            && let Some((index, uuid)) = &self.gpu
        {
            let error = code(failure.number);
            warn!(gpu = index, %uuid, call = failure.call, %error, "left out, and asked for again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = ("nvmlDeviceGetName", 0);

    fn ask(ledger: &mut Ledger, code: u32) -> Result<Option<u8>, Failure> {
        ledger.ask(KEY, || match code {
            0 => Ok(7),
            code => Err(NvmlError::from(code)),
        })
    }

    #[test]
    fn a_failed_constant_is_asked_for_until_it_is_known_and_then_no_more() {
        let mut ledger = Ledger::default();
        for code in [999, 3, 3, 3, 3, 3, 3, 10] {
            assert!(matches!(ask(&mut ledger, code), Ok(None)), "{code}");
        }
        assert!(!ledger.is_told(KEY));
        assert!(matches!(ask(&mut ledger, 0), Ok(Some(7))));
        let asked = ledger.ask(KEY, || -> Result<u8, NvmlError> { unreachable!() });
        assert!(matches!(asked, Ok(None)));
    }

    #[test]
    fn a_constant_refused_five_times_is_not_asked_for_again() {
        let mut ledger = Ledger::default();
        for code in [3, 2, 4, 3, 3] {
            assert!(matches!(ask(&mut ledger, code), Ok(None)), "{code}");
        }
        let asked = ledger.ask_again(KEY, || -> Result<u8, NvmlError> { unreachable!() });
        assert!(matches!(asked, Ok(None)));
    }

    #[test]
    fn a_lost_card_is_a_failure() {
        let mut ledger = Ledger::default();
        for code in [1, 9, 15, 16, 18, 28] {
            assert!(ask(&mut ledger, code).is_err(), "{code}");
        }
    }
}
