//! Extra sensors beside the card's own: an inlet sensor, or a file of some driver. Each has trips
//! of its own and counts towards the smallest margin. The loss of one doesn't make the guard blind
//! while the card's own sensors can be read.

use std::sync::Arc;

use crate::device::Missing;
use crate::policy::sense::trips::{Heat, Trips};
use crate::units::Celsius;

/// One extra sensor, on one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraSensor {
    /// The configured name.
    pub name: Arc<str>,
    pub trips: Trips,
    /// `None`: it can't be read.
    pub now: Option<Celsius>,
    /// The last reading, including this tick's.
    pub last: Option<Celsius>,
    /// The guard before this one saw it above safe, and it can't be read since.
    pub left_hot: bool,
}

impl ExtraSensor {
    /// It was lost while above safe, and it may still be hot. So nothing is given back until it can
    /// be read again, but nothing more is taken either.
    pub fn withholds(&self) -> bool {
        let was_hot = self.last.is_some_and(|last| last > self.trips.safe);
        self.now.is_none() && (was_hot || self.left_hot)
    }

    /// It is above safe, or may be.
    pub fn may_be_hot(&self) -> bool {
        self.now.is_some_and(|now| now > self.trips.safe) || self.withholds()
    }
}

/// The worst heat of all sensors that can be read, including the card's own. `None`: none can.
pub fn worst(own: Option<Heat>, extra_sensors: &[ExtraSensor]) -> Option<Heat> {
    let heats = extra_sensors
        .iter()
        .filter_map(|sensor| Some(Heat::of(&sensor.trips, sensor.now?)));
    own.into_iter().chain(heats).reduce(Heat::worse)
}

/// The same, if the card's own sensors may be missing with a reason. Only a card without own
/// sensors is judged by the extra ones alone.
pub fn joined(own: Result<Heat, Missing>, extra_sensors: &[ExtraSensor]) -> Result<Heat, Missing> {
    match own {
        Ok(_) | Err(Missing::NotSupported) => {
            worst(own.ok(), extra_sensors).ok_or(Missing::NotSupported)
        }
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::error::any_code;

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

    fn sensor(now: Option<f64>, last: f64) -> ExtraSensor {
        ExtraSensor {
            name: "inlet".into(),
            trips: INLET,
            now: now.map(Celsius::new),
            last: Some(Celsius::new(last)),
            left_hot: false,
        }
    }

    #[test]
    fn the_smallest_margin_wins_whosever_it_is() {
        let warm = sensor(Some(36.0), 36.0);
        let cool = sensor(Some(20.0), 20.0);
        let to_alert =
            |extra_sensors: &[ExtraSensor]| worst(Some(OWN), extra_sensors).expect("heat").to_alert;
        assert_eq!(to_alert(std::slice::from_ref(&cool)), OWN.to_alert);
        assert_eq!(to_alert(&[cool, warm.clone()]), Celsius::new(2.0));
        assert_eq!(
            worst(None, &[warm]).map(|heat| heat.to_critical),
            Some(Celsius::new(9.0))
        );
    }

    #[test]
    fn a_missing_one_is_no_margin_at_all() {
        let missing = sensor(None, 44.0);
        assert_eq!(worst(Some(OWN), std::slice::from_ref(&missing)), Some(OWN));
        assert_eq!(worst(None, &[missing]), None);
    }

    #[test]
    fn a_card_without_a_thermometer_is_judged_by_what_stands_beside_it() {
        let warm = [sensor(Some(36.0), 36.0)];
        let none = Err(Missing::NotSupported);
        assert!(joined(none, &warm).is_ok());
        assert_eq!(joined(none, &[]), none);
        let failed = Err(Missing::Failed(any_code(999)));
        assert_eq!(
            joined(failed, &warm),
            failed,
            "its own is to be believed, or nothing"
        );
    }

    #[test]
    fn only_one_lost_above_safe_withholds() {
        assert!(sensor(None, 32.1).withholds());
        assert!(!sensor(None, 32.0).withholds(), "it was safe");
        assert!(!sensor(Some(44.0), 44.0).withholds(), "it is there");
        let never = ExtraSensor {
            last: None,
            ..sensor(None, 0.0)
        };
        assert!(!never.withholds(), "it was never there");
        let left_hot = ExtraSensor {
            left_hot: true,
            ..never
        };
        assert!(left_hot.withholds(), "the guard before this one saw it hot");
    }
}
