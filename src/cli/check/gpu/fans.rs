//! The card's own fans: their speed, who sets it, and which of them are suspect.

use crate::device::{Fan, FanPolicy, Reading};
use crate::guard::evidence::{REMEDY_OF_FAN, of_fan};
use crate::policy::SuspectFans;

use crate::cli::check::finding::Finding;

const CHECK: &str = "fans";

/// `None`: the card tells of no fan.
pub(crate) fn of_gpu(reading: &Reading, suspect: &SuspectFans) -> Option<Finding> {
    let fans = reading.slow.fans.iter().enumerate();
    let told = fans.filter_map(|(place, fan)| Some(format!("fan {place} {}", speed(fan)?)));
    let told: Vec<_> = told.collect();
    if told.is_empty() {
        return None;
    }
    let faults = suspect.iter().filter_map(|(fan, fault)| {
        let fault = of_fan(fault?);
        Some(format!("fan {fan} {fault}"))
    });
    let faults: Vec<_> = faults.collect();
    let warning = (!faults.is_empty()).then(|| (faults.join(", "), REMEDY_OF_FAN));
    Some(Finding::ok(CHECK, told.join(", ")).warned(warning))
}

/// `53 %, 1590 rpm, set by a program`.
fn speed(fan: &Fan) -> Option<String> {
    let percent = fan
        .speed
        .map(|speed| format!("{:.0} %", speed.value() * 100.0));
    let rpm = fan.rpm.map(|rpm| format!("{rpm} rpm"));
    let parts: Vec<_> = [percent, rpm].into_iter().flatten().collect();
    if parts.is_empty() {
        return None;
    }
    let by = match fan.policy {
        Some(FanPolicy::Manual) => ", set by a program",
        Some(FanPolicy::Automatic) | None => "",
    };
    Some(format!("{}{by}", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::cli::check::finding::Status;
    use crate::device::Missing;
    use crate::policy::FanFault;
    use crate::units::{Moment, Ratio};

    fn reading(fans: &[Fan]) -> Reading {
        let mut reading = Reading::missing(Moment::START, Missing::NotSupported);
        reading.slow.fans = fans.into();
        reading
    }

    fn spinning(percent: f64) -> Fan {
        Fan {
            speed: Some(Ratio::new(percent / 100.0)),
            ..Fan::default()
        }
    }

    #[test]
    fn a_card_that_tells_of_no_fan_has_no_line() {
        let none = SuspectFans::default();
        assert!(of_gpu(&reading(&[]), &none).is_none());
        assert!(of_gpu(&reading(&[Fan::default()]), &none).is_none());
    }

    #[test]
    fn fans_are_told_with_their_speed_and_who_sets_it() {
        let set = Fan {
            rpm: Some(900),
            policy: Some(FanPolicy::Manual),
            ..spinning(30.0)
        };
        let fans = reading(&[spinning(54.0), set]);
        let found = of_gpu(&fans, &SuspectFans::default()).unwrap();
        assert_eq!((found.status, found.remedy), (Status::Ok, None));
        assert_eq!(
            found.detail,
            "fan 0 54 %, fan 1 30 %, 900 rpm, set by a program"
        );
    }

    #[test]
    fn a_suspect_fan_is_named_with_its_fault_and_the_remedy() {
        let fans = reading(&[spinning(54.0), spinning(53.0)]);
        let suspect = SuspectFans::default().with(1, FanFault::Stuck);
        let found = of_gpu(&fans, &suspect).unwrap();
        assert_eq!(found.status, Status::Warn);
        assert!(found.detail.contains("fan 1 stays under 70 %"), "{found:?}");
        assert!(!found.detail.contains("fan 0 stays"), "{found:?}");
        assert!(found.remedy.unwrap().contains("LACT"));
    }
}
