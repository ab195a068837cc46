//! What a few readings show of a card, before a guard has it: the judgement of a guard's tick, for
//! `check`.

use std::time::Duration;

use crate::device::{Cadence, Gpu, Missing, Reading};
use crate::policy::zone::TripTable;
use crate::policy::{Judge, Judgement, SensorState, TripOverrides, View};
use crate::units::Moment;

/// How often an odd reading is looked at, and what lies between: what the guard itself takes to call
/// a sensor lost.
const LOOKS: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_millis(1050);

/// What the looks came to.
#[derive(Clone, Debug)]
pub struct Preflight {
    pub reading: Reading,
    pub judged: Judgement,
    pub trips: TripTable,
}

/// Looks once where all is well, and again where something isn't: one failed read is noise, to the
/// guard as well. `after` lets so much time pass and tells the moment.
pub fn look(
    gpu: &mut dyn Gpu,
    thresholds: TripOverrides,
    mut after: impl FnMut(Duration) -> Moment,
) -> Preflight {
    let facts = gpu.facts().clone();
    let mut judge = Judge::new(thresholds, &facts);
    let mut now = after(Duration::ZERO);
    let mut reading = Reading::missing(now, Missing::Lost);
    let mut judged = judge.look(now, &reading, &facts, &[], false);
    for again in 0..LOOKS {
        if again > 0 {
            now = after(LOOK_EVERY);
        }
        reading = gpu.read(now, Cadence::Full).plausible(&facts);
        judged = judge.look(now, &reading, &facts, &[], true);
        let well = matches!(judged.view, View::Clear(_) | View::Never);
        let odd = |state| matches!(state, SensorState::Failing | SensorState::Doubted);
        let fails =
            |missing: Option<Missing>| missing.is_some_and(|it| it != Missing::NotSupported);
        let thermal = [reading.core, reading.memory, reading.margin];
        let failed = thermal.iter().any(|it| fails(it.err())) || fails(reading.draw.err());
        if well && !failed && !judged.sensors.iter().any(|(_, it)| odd(it.state)) {
            break;
        }
    }
    Preflight {
        reading,
        judged,
        trips: *judge.trips(),
    }
}
