//! Sensors beside the card's own: an inlet probe, a file of some driver. Each has trips of its own
//! and joins the smallest margin; none is a reason to call the guard blind while the card's own
//! sensors are seen.

use std::sync::Arc;

use crate::device::Missing;
use crate::units::Celsius;

use super::zone::{Heat, Trips};

/// One of them, on one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// As configured.
    pub name: Arc<str>,
    pub trips: Trips,
    /// `None`: it can't be read.
    pub now: Option<Celsius>,
    /// The last it said, this tick's included.
    pub last: Option<Celsius>,
}

impl Probe {
    /// Lost while it was above safe. Nobody knows whether it cooled down since, so nothing is given
    /// back until it is read again; but nothing is taken for it, either.
    pub fn withholds(&self) -> bool {
        self.now.is_none() && self.last.is_some_and(|last| last > self.trips.safe)
    }
}

/// The worst of all that can be read, the card's own included; `None` if nothing can.
pub fn worst(own: Option<Heat>, probes: &[Probe]) -> Option<Heat> {
    let heats = probes
        .iter()
        .filter_map(|probe| Some(Heat::of(&probe.trips, probe.now?)));
    own.into_iter().chain(heats).reduce(Heat::worse)
}

/// The same where a card's own sensors tell why they don't: only one that has none is judged by what
/// stands beside it.
pub fn joined(own: Result<Heat, Missing>, probes: &[Probe]) -> Result<Heat, Missing> {
    match own {
        Ok(_) | Err(Missing::NotSupported) => worst(own.ok(), probes).ok_or(Missing::NotSupported),
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INLET: Trips = Trips {
        alert: Celsius::new(38.0),
        critical: Celsius::new(45.0),
        safe: Celsius::new(32.0),
    };

    const OWN: Heat = Heat {
        to_alert: Celsius::new(3.0),
        to_critical: Celsius::new(10.0),
        to_safe: Celsius::new(-3.0),
    };

    fn probe(now: Option<f64>, last: f64) -> Probe {
        Probe {
            name: "inlet".into(),
            trips: INLET,
            now: now.map(Celsius::new),
            last: Some(Celsius::new(last)),
        }
    }

    #[test]
    fn the_smallest_margin_wins_whosever_it_is() {
        let warm = probe(Some(36.0), 36.0);
        let cool = probe(Some(20.0), 20.0);
        let to_alert = |probes: &[Probe]| worst(Some(OWN), probes).expect("heat").to_alert;
        assert_eq!(to_alert(std::slice::from_ref(&cool)), OWN.to_alert);
        assert_eq!(to_alert(&[cool, warm.clone()]), Celsius::new(2.0));
        assert_eq!(
            worst(None, &[warm]).map(|heat| heat.to_critical),
            Some(Celsius::new(9.0))
        );
    }

    #[test]
    fn a_missing_one_is_no_margin_at_all() {
        let missing = probe(None, 44.0);
        assert_eq!(worst(Some(OWN), std::slice::from_ref(&missing)), Some(OWN));
        assert_eq!(worst(None, &[missing]), None);
    }

    #[test]
    fn a_card_without_a_thermometer_is_judged_by_what_stands_beside_it() {
        let warm = [probe(Some(36.0), 36.0)];
        let none = Err(Missing::NotSupported);
        assert!(joined(none, &warm).is_ok());
        assert_eq!(joined(none, &[]), none);
        let failed = Err(Missing::Failed(999));
        assert_eq!(
            joined(failed, &warm),
            failed,
            "its own is to be believed, or nothing"
        );
    }

    #[test]
    fn only_one_lost_above_safe_withholds() {
        assert!(probe(None, 32.1).withholds());
        assert!(!probe(None, 32.0).withholds(), "it was safe");
        assert!(!probe(Some(44.0), 44.0).withholds(), "it is there");
        let never = Probe {
            last: None,
            ..probe(None, 0.0)
        };
        assert!(!never.withholds(), "it was never there");
    }
}
