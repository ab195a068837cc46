//! Descriptions of faulty sensors, knobs and fans, and their remedies. Log, events and views use the same
//! words. The policy decides what follows.

use crate::device::{Knob, Missing};
use crate::policy::{
    Doubt, ExtraSensor, FanFault, KnobReport, KnobState, Sensor, SensorReport, SensorState,
};

/// The state of an extra sensor: its file can be read, or it can't.
pub const fn of_file(probe: &ExtraSensor) -> SensorState {
    match probe.now {
        Some(_) => SensorState::Working,
        None => SensorState::Failing,
    }
}

/// False for a sensor that works or was never there.
pub const fn is_faulty(report: &SensorReport) -> bool {
    matches!(report.state, SensorState::Failing | SensorState::Doubted)
}

/// The plan does without this knob.
pub const fn is_out(report: &KnobReport) -> bool {
    matches!(report.state, KnobState::Refused | KnobState::Ineffective)
}

/// Describes a faulty sensor: `fails with NVML code 999 (UNKNOWN)`.
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
        Some(Doubt::ExtraSensor) | None => "isn't believed",
    };
    match report.state {
        SensorState::Working | SensorState::Absent => None,
        SensorState::Failing => Some(match report.missing {
            Some(Missing::Failed(code)) => format!("fails with {code}"),
            Some(Missing::Unconfirmed) => "isn't confirmed by a second read".to_owned(),
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

/// The remedy for a faulty sensor.
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

/// Describes a knob that is out of the plan.
pub const fn of_knob(report: &KnobReport) -> Option<&'static str> {
    match report.state {
        KnobState::Refused if report.denied => Some("is refused for lack of permission"),
        KnobState::Refused => Some("is refused, whatever the value"),
        KnobState::Ineffective => Some("takes values, and the card doesn't follow"),
        KnobState::Working | KnobState::Unproven | KnobState::Absent => None,
    }
}

/// The remedy for a knob that is out of the plan.
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
        (Knob::Fan, _) => {
            "see whether another program sets the fans (LACT, nvidia-settings); if the driver gives no control over them, switch it off under `actuators`"
        }
        (_, KnobState::Ineffective) => {
            "see nvidia-smi -q -d CLOCK for who sets it instead; the other knobs are used"
        }
        _ => {
            "see dmesg and nvidia-smi -q -d CLOCK; if this card has no such lock, switch it off under `actuators`"
        }
    }
}

/// Describes a suspect fan: `doesn't turn, although it is told to`.
pub const fn of_fan(fault: FanFault) -> &'static str {
    match fault {
        FanFault::Stopped => "doesn't turn, although it is told to",
        FanFault::Off => "is off, although the card is hot",
        FanFault::Stuck => {
            "stays under 70 %, although the card is past its own target and doesn't get cooler"
        }
        FanFault::Low => "stays under 40 %, although the card has to be throttled",
    }
}

/// The remedy for a suspect fan.
pub const REMEDY_OF_FAN: &str = "see whether it turns and is clean, and whether a program has set its speed (LACT, nvidia-settings); else update the card's firmware and driver";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::nvml;

    fn failing(missing: Missing) -> SensorReport {
        SensorReport {
            state: SensorState::Failing,
            missing: Some(missing),
            doubt: None,
        }
    }

    #[test]
    fn a_description_names_the_code_or_the_number() {
        let said = |missing| of_sensor(&failing(missing)).unwrap();
        assert_eq!(
            said(Missing::Failed(nvml::code(999))),
            "fails with NVML code 999 (UNKNOWN)"
        );
        let odd = said(Missing::Implausible(255));
        assert_eq!(odd, "says 255, which no working sensor says");
    }

    #[test]
    fn only_faulty_sensors_and_knobs_have_a_description() {
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
    fn the_remedy_for_a_denied_knob_is_permission() {
        let denied = KnobReport {
            state: KnobState::Refused,
            denied: true,
        };
        for knob in Knob::ALL {
            assert!(remedy_of_knob(knob, &denied).contains("CAP_SYS_ADMIN"));
        }
    }
}
