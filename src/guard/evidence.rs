//! What is wrong with a sensor or a knob, in words for people, and what helps. Log, events and views
//! say it alike; what follows from it is the policy's.

use crate::device::nvml::NvmlCode;
use crate::device::{Knob, Missing};
use crate::policy::{Doubt, KnobReport, KnobState, Probe, Sensor, SensorReport, SensorState};

/// A file beside the card: it can be read or it can't.
pub const fn of_file(probe: &Probe) -> SensorState {
    match probe.now {
        Some(_) => SensorState::Working,
        None => SensorState::Failing,
    }
}

/// Nothing is wrong with one that works or was never there.
pub const fn is_faulty(report: &SensorReport) -> bool {
    matches!(report.state, SensorState::Failing | SensorState::Doubted)
}

/// Out of the plan.
pub const fn is_out(report: &KnobReport) -> bool {
    matches!(report.state, KnobState::Refused | KnobState::Ineffective)
}

/// What a faulty sensor does: `fails with NVML code 999 (UNKNOWN)`.
pub fn of_sensor(report: &SensorReport) -> Option<String> {
    let doubted = |doubt: Option<Doubt>| match doubt {
        Some(Doubt::Frozen) => "doesn't follow the power",
        Some(Doubt::Fallen) => "fell faster than metal cools",
        Some(Doubt::Inherited) => {
            "was doubted by the guard before this one, and hasn't proven itself since"
        }
        Some(Doubt::Contradicted) => {
            "is contradicted by the card, which slows itself down for heat"
        }
        Some(Doubt::Missing) => "couldn't be read, and hasn't proven itself since",
        Some(Doubt::Probe) | None => "isn't believed",
    };
    match report.state {
        SensorState::Working | SensorState::Absent => None,
        SensorState::Failing => Some(match report.missing {
            Some(Missing::Failed(code)) => format!("fails with {}", NvmlCode(code)),
            Some(Missing::Implausible(value)) => {
                format!("says {value}, which no working sensor says")
            }
            Some(Missing::NotSupported) => {
                "is not supported any more, though the card had it".to_owned()
            }
            Some(Missing::Lost) => "is gone".to_owned(),
            None => "can't be read".to_owned(),
        }),
        SensorState::Doubted => Some(doubted(report.doubt).to_owned()),
    }
}

/// What helps a faulty sensor.
pub const fn remedy_of_sensor(sensor: Sensor, report: &SensorReport) -> &'static str {
    match (sensor, report.state, report.missing) {
        (_, SensorState::Failing, Some(Missing::NotSupported)) => {
            "see what changed with the driver; restart the guard if the card is to do without it"
        }
        (Sensor::Power, ..) => {
            "compare nvidia-smi -q -d POWER, and see dmesg; a reset of the GPU may help"
        }
        _ => "compare nvidia-smi -q -d TEMPERATURE, and see dmesg; a reset of the GPU may help",
    }
}

/// What a knob that is out of the plan does.
pub const fn of_knob(report: &KnobReport) -> Option<&'static str> {
    match report.state {
        KnobState::Refused if report.denied => Some("is refused for lack of permission"),
        KnobState::Refused => Some("is refused, whatever the value"),
        KnobState::Ineffective => Some("takes values, and the card doesn't follow"),
        KnobState::Working | KnobState::Unproven | KnobState::Absent => None,
    }
}

/// What helps a knob that is out of the plan.
pub const fn remedy_of_knob(knob: Knob, report: &KnobReport) -> &'static str {
    match (knob, report.state) {
        (_, KnobState::Refused) if report.denied => {
            "run the guard as root or with CAP_SYS_ADMIN (in a container: --cap-add=SYS_ADMIN)"
        }
        (Knob::PowerLimit, KnobState::Ineffective) => {
            "see nvidia-smi -q -d POWER for who limits it instead: the chassis, the BMC or another program"
        }
        (Knob::PowerLimit, _) => {
            "see dmesg and nvidia-smi -q -d POWER; a vGPU or the platform may forbid it: configure an application under `apps`, or switch the knob off under `actuators`"
        }
        (Knob::GpuClock | Knob::MemoryClock, KnobState::Ineffective) => {
            "see nvidia-smi -q -d CLOCK for who sets it instead; the other knobs are used"
        }
        (Knob::GpuClock | Knob::MemoryClock, _) => {
            "see dmesg and nvidia-smi -q -d CLOCK; if this card has no such lock, switch it off under `actuators`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(missing: Missing) -> SensorReport {
        SensorReport {
            state: SensorState::Failing,
            missing: Some(missing),
            doubt: None,
        }
    }

    #[test]
    fn what_is_wrong_names_the_code_or_the_number() {
        let said = |missing| of_sensor(&failing(missing)).unwrap();
        assert_eq!(
            said(Missing::Failed(999)),
            "fails with NVML code 999 (UNKNOWN)"
        );
        let odd = said(Missing::Implausible(255));
        assert_eq!(odd, "says 255, which no working sensor says");
    }

    #[test]
    fn only_what_is_faulty_is_told_of() {
        for state in SensorState::ALL {
            let report = SensorReport {
                state,
                ..SensorReport::default()
            };
            assert_eq!(
                of_sensor(&report).is_some(),
                is_faulty(&report),
                "{state:?}"
            );
        }
        for state in KnobState::ALL {
            let report = KnobReport {
                state,
                denied: false,
            };
            assert_eq!(of_knob(&report).is_some(), is_out(&report), "{state:?}");
        }
    }

    #[test]
    fn a_knob_without_permission_wants_permission() {
        let denied = KnobReport {
            state: KnobState::Refused,
            denied: true,
        };
        for knob in Knob::ALL {
            assert!(remedy_of_knob(knob, &denied).contains("CAP_SYS_ADMIN"));
        }
    }
}
