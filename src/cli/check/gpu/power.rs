//! A GPU's power limit: its range, its present value, and how far the guard will lower it.

use crate::config::{Config, Mode};
use crate::device::{Facts, Identity, Knob, PowerConstraints, Reading};
use crate::policy::{LimitClaim, Unguarded};
use crate::units::Ratio;

use crate::cli::check::finding::Finding;

/// Below this share of the default, the minimum is worth a warning: an emergency sets it. Data-centre
/// cards have a minimum of a quarter or more; some laptops allow a seventh, or nothing.
const LITTLE: Ratio = Ratio::new(0.2);

const NO_LIMIT: &str = "the guard regulates by the SM clock and tells applications here";

/// Without persistence mode, the driver forgets the power limit of a card that no process has open. A
/// running guard has it open. But a limit that a stopped or detached guard left on a hot card is lost.
pub(crate) fn forgotten(config: &Config, facts: &Facts, reading: &Reading) -> Option<Finding> {
    let limits = config.actuators.enabled[Knob::PowerLimit] && facts.power.is_some();
    let is_off = reading.slow.persistence_mode == Some(false);
    (limits && is_off && config.mode == Mode::Enforce).then(|| {
        Finding::warn(
            "persistence",
            "persistence mode is off: once no program has the card open, the driver forgets its power limit, also one that a stopped or detached guard left because the card is hot",
            "switch it on: systemctl enable --now nvidia-persistenced, or nvidia-smi -pm 1 after each boot",
        )
    })
}

pub(crate) fn of_gpu(
    config: &Config,
    identity: &Identity,
    facts: &Facts,
    reading: &Reading,
    held: Option<LimitClaim>,
) -> Finding {
    const CHECK: &str = "power limit";
    if !config.actuators.enabled[Knob::PowerLimit] {
        return Finding::ok(CHECK, "not used, as configured");
    }
    let Some(range) = facts.power else {
        let clocks = config.actuators.enabled[Knob::GpuClock] && facts.gpu_clock_max.is_some();
        let is_told = config.apps.iter().any(|app| app.gpus.matches(identity));
        let remedy = if clocks || is_told {
            NO_LIMIT
        } else {
            Unguarded::NothingToTurn.explained()
        };
        return Finding::warn(CHECK, "the card has none to set", remedy);
    };
    let PowerConstraints { default, min, max } = range;
    let Ok(now) = reading.limit else {
        let detail = format!("{min} to {max}, default {default}, now unreadable");
        return Finding::warn(CHECK, detail, "see nvidia-smi -q -d POWER");
    };
    let detail = format!("{min} to {max}, default {default}, now {now}");
    if let Some(held) = held.filter(|held| held.owns(now)) {
        let original = held.original;
        return Finding::ok(CHECK, format!("{detail}, a guard's; {original} before it"));
    }
    let floor = default.scaled(config.actuators.gradual_floor);
    let warning = if min == max {
        Some((
            "the limit can't be moved".to_owned(),
            "nothing to do: clock lock and applications are what holds this card",
        ))
    } else if min < default.scaled(LITTLE) {
        let share = 100.0 * min.as_f64() / default.as_f64();
        Some((
            format!("an emergency goes down to the card's minimum, {share:.0} % of its default"),
            "expect the GPU to be nearly at a standstill in an emergency, or leave it the clocks with `actuators.power_limit.enabled: false`",
        ))
    } else if now != default {
        // A guard that acted may have gone with its journal elsewhere: a read-only pod has a state directory of its own.
        let remedy = match config.mode {
            Mode::Enforce => "nothing to do: it will be given back exactly so",
            Mode::Observe => {
                "set by somebody else, or left by a guard that acted (its journal is not in this state directory); this guard observes and changes nothing"
            }
        };
        Some(("not the default".to_owned(), remedy))
    } else if floor < min {
        Some((
            format!("the floor of gradual ({floor}) is under the card's minimum, which is used"),
            "raise actuators.power_limit.gradual_floor, or expect less relief from gradual",
        ))
    } else {
        None
    };
    Finding::ok(CHECK, detail).warned(warning)
}
