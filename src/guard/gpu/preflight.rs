//! A few readings of a card before a guard takes it, judged as on a tick. `check` uses this.

use std::time::Duration;

use crate::device::{Cadence, Gpu, Missing, Reading};
use crate::policy::sense::fans::FanWatch;
use crate::policy::sense::trips::TripTable;
use crate::policy::{Judge, Judgement, SensorState, SuspectFans, TripOverrides, View};
use crate::units::Moment;

/// How often, and how far apart, an odd reading is repeated: as the guard itself does before it calls
/// a sensor lost.
const READS: u32 = 3;
const READ_EVERY: Duration = Duration::from_millis(1050);

/// How often a fan that shows a fault is read: for a quarter of a minute. A fault must last for 12 s.
const FAN_READS: u32 = 15;

/// The result of the readings.
#[derive(Clone, Debug)]
pub struct Preflight {
    pub reading: Reading,
    pub judged: Judgement,
    pub trips: TripTable,
    /// By the rules of a guard that holds nothing.
    pub fans: SuspectFans,
}

/// Reads once if everything is well, and again if something isn't: one failed read is noise to the
/// guard as well. `after` waits for that long and returns the time.
pub fn read(
    gpu: &mut dyn Gpu,
    thresholds: TripOverrides,
    mut after: impl FnMut(Duration) -> Moment,
) -> Preflight {
    let facts = gpu.facts().clone();
    let mut judge = Judge::new(thresholds, &facts);
    let mut now = after(Duration::ZERO);
    let mut reading = Reading::missing(now, Missing::Lost);
    let mut judged = judge.judge(now, &reading, &facts, &[], false);
    for again in 0..READS {
        if again > 0 {
            now = after(READ_EVERY);
        }
        reading = gpu.read(now, Cadence::Full).plausible(&facts);
        judged = judge.judge(now, &reading, &facts, &[], true);
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
    let sees = matches!(judged.view, View::Clear(_));
    let fans = watch_fans(gpu, &reading, sees, &mut after);
    Preflight {
        reading,
        judged,
        trips: *judge.trips(),
        fans,
    }
}

/// Looks once if no fan shows a fault, and else until it has lasted, or is gone. `sees`: the
/// temperature is trusted.
fn watch_fans(
    gpu: &mut dyn Gpu,
    first: &Reading,
    sees: bool,
    after: &mut impl FnMut(Duration) -> Moment,
) -> SuspectFans {
    let facts = gpu.facts().clone();
    let mut watch = FanWatch::default();
    let mut now = first.at;
    let mut reading = first.clone();
    let mut suspect = SuspectFans::default();
    for _ in 0..FAN_READS {
        let core = reading.core.ok().filter(|_| sees);
        suspect = watch.watch(now, &reading, &facts, core, None);
        if suspect.any() || !watch.is_wary() {
            break;
        }
        now = after(READ_EVERY);
        reading = gpu.read(now, Cadence::Full).plausible(&facts);
    }
    suspect
}
