//! One GPU: waits until it is cool enough to give back.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::SensorConfig;
use crate::device::{Cadence, ClockRange, Driver, Gpu, Missing, Reading};
use crate::events::{Events, GpuName, What};
use crate::guard::actuate::journal::{Entry, JournalDirs};
use crate::guard::actuate::takeover::confirmed;
use crate::guard::gpu::sensors::Probes;
use crate::policy::{ExtraSensor, Judge, Judgement, TripOverrides, View};
use crate::units::Moment;

use super::report::Outcome;
use super::words::unseen;

/// Between two readings of a GPU that isn't ready yet.
const READ_EVERY: Duration = Duration::from_secs(1);

/// A driver counts an idle card's energy on several times in this time, and it is looked so often.
const COUNTS_WITHIN: Duration = Duration::from_millis(200);
const RECOUNTS: u32 = 3;

/// The work on one GPU.
pub(crate) struct Job {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) clock: Clock,
    pub(crate) deadline: Moment,
    pub(crate) force: bool,
    pub(crate) observe: bool,
    pub(crate) trips: TripOverrides,
    pub(crate) sensors: Vec<SensorConfig>,
    pub(crate) restore_clock: Option<ClockRange>,
    pub(crate) journal_dirs: JournalDirs,
    pub(crate) events: Arc<Events>,
    pub(crate) entry: Entry,
}

/// Whether a GPU may be given back now.
enum Readiness {
    Ready,
    /// Not yet, and why.
    Wait(String),
}

impl Job {
    /// Returns by the deadline, unless the driver hangs. The outcome is an event, too.
    pub(crate) fn run(self) -> Outcome {
        let mut gpu = None;
        let outcome = self.attempt(&mut gpu);
        if !self.observe {
            let name = gpu.map(|gpu| GpuName::of(gpu.identity()));
            let (kept, text) = match &outcome {
                Outcome::Done(text) => (false, text),
                Outcome::Kept(text) => (true, text),
            };
            let detail = match &name {
                Some(_) => text.clone(),
                None => format!("{}: {text}", self.entry.uuid),
            };
            let detail = detail.into();
            self.events.note(name, What::Restored { kept, detail });
        }
        outcome
    }

    fn attempt(&self, gpu: &mut Option<Box<dyn Gpu>>) -> Outcome {
        let mut probes = Probes::default();
        let mut judge = None;
        loop {
            let reading = self.read(gpu);
            let extra = self.read_extra(gpu.as_deref(), &reading, &mut probes);
            let judged = self.judge(&mut judge, gpu.as_deref(), &reading, &extra);
            let why = match self.readiness(gpu.as_deref(), &reading, judged, &extra) {
                Readiness::Ready => return self.settle(gpu.as_deref_mut(), &reading),
                Readiness::Wait(why) => why,
            };
            let left = self.deadline.since(self.clock.wall());
            if left.is_zero() {
                return Outcome::Kept(format!("kept throttled: {why}"));
            }
            thread::sleep(left.min(READ_EVERY));
        }
    }

    /// A full reading. Opens the GPU again if it was lost.
    fn read(&self, gpu: &mut Option<Box<dyn Gpu>>) -> Reading {
        let now = self.clock.now();
        if gpu.is_none() {
            *gpu = self.driver.open(&self.entry.uuid).ok();
        }
        let reading = gpu.as_mut().map_or_else(
            || Reading::missing(now, Missing::Lost),
            |gpu| {
                let reading = gpu.read(now, Cadence::Full).plausible(gpu.facts());
                let limit = confirmed(gpu.as_mut(), reading.limit, &self.entry.claim);
                let reading = Reading { limit, ..reading };
                self.recount(gpu.as_mut(), reading)
            },
        );
        if reading.is_lost() {
            *gpu = None;
        }
        reading
    }

    /// An energy counter below the journal's value means that the driver was reloaded, if it counts: a card
    /// may answer any number for a while.
    fn recount(&self, gpu: &mut dyn Gpu, mut reading: Reading) -> Reading {
        let told = reading.slow.energy_millijoules;
        let is_lower = |told: u64| Some(told) < self.entry.energy_millijoules;
        if told.is_some_and(is_lower) {
            let mut again = (0..RECOUNTS).map(|_| {
                thread::sleep(COUNTS_WITHIN);
                let reading = gpu.read(reading.at, Cadence::Full).plausible(gpu.facts());
                reading.slow.energy_millijoules
            });
            reading.slow.energy_millijoules = again.find(|again| *again > told).flatten();
        }
        reading
    }

    /// The extra sensors.
    fn read_extra(
        &self,
        gpu: Option<&dyn Gpu>,
        reading: &Reading,
        probes: &mut Probes,
    ) -> Vec<ExtraSensor> {
        let Some(gpu) = gpu else {
            return Vec::new();
        };
        probes.choose(&self.sensors, gpu.identity());
        probes.read(reading.at, READ_EVERY, gpu.identity())
    }

    /// The judgement of a guard that starts from the doubts of the dead one.
    fn judge(
        &self,
        judge: &mut Option<Judge>,
        gpu: Option<&dyn Gpu>,
        reading: &Reading,
        extra: &[ExtraSensor],
    ) -> Option<Judgement> {
        let facts = gpu?.facts();
        let judge = judge.get_or_insert_with(|| {
            let mut judge = Judge::new(self.trips, facts).expecting_falls();
            judge.inherit(&self.entry.reason.doubts());
            judge
        });
        Some(judge.judge(reading.at, reading, facts, extra, true))
    }

    fn readiness(
        &self,
        gpu: Option<&dyn Gpu>,
        reading: &Reading,
        judged: Option<Judgement>,
        extra: &[ExtraSensor],
    ) -> Readiness {
        match self.entry.still_there(reading) {
            // Nothing is to be raised: no need to wait.
            Err(_) => return Readiness::Ready,
            Ok(claim) if claim.is_empty() => return Readiness::Ready,
            Ok(claim) if claim.limit.is_some() && reading.limit.is_err() => {
                let open = gpu.map_or_else(|| self.driver.open(&self.entry.uuid).err(), |_| None);
                return Readiness::Wait(match open {
                    Some(error) => error.to_string(),
                    None => "its power limit can't be read".to_owned(),
                });
            }
            Ok(_) => {}
        }
        // The dead guard may have throttled because of this sensor, which can't tell any more.
        let lost = extra.iter().find(|probe| probe.now.is_none());
        let heat = match judged.map(|judged| judged.view) {
            Some(View::Clear(heat)) => Some(heat),
            _ => None,
        };
        match (heat, lost) {
            _ if self.force => Readiness::Ready,
            (Some(heat), None) if heat.is_safe() => Readiness::Ready,
            (Some(heat), Some(probe)) if heat.is_safe() => Readiness::Wait(format!(
                "sensor {} can't be read; `thermal-guard restore --force` gives back without it",
                probe.name
            )),
            (Some(heat), _) => {
                let over = -heat.to_safe.degrees();
                Readiness::Wait(format!(
                    "still {over:.0} °C above safe; run `thermal-guard restore` again when it has cooled down, or with --force"
                ))
            }
            (None, _) => Readiness::Wait(unseen(judged, &self.entry.reason)),
        }
    }
}
