//! One GPU: wait until it is cool, give back, prove it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::SensorConfig;
use crate::device::{Cadence, ClockRange, Driver, Gpu, Missing, Reading, Uuid};
use crate::guard::Clock;
use crate::guard::actuate::{Hand, OutOfReach};
use crate::guard::events::{Events, GpuName, What};
use crate::guard::inherit::{Inherited, inherit, recount};
use crate::guard::journal::{self, Entry, Journal, Reason};
use crate::guard::probe::Probes;
use crate::guard::tally::{Action, ActionResult, Tally};
use crate::policy::{Claim, Doubt, Judge, Judgement, Probe, TripOverrides, View};
use crate::units::{Moment, Watts};

use super::Outcome;

/// Between two looks at a GPU that isn't ready yet.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A raise waits for the journal, and a disk may be slow at first: so many tries, so far apart.
const TRIES: u32 = 5;
const TRY_EVERY: Duration = Duration::from_millis(300);

/// What to do on one GPU.
pub(super) struct Job {
    pub(super) driver: Arc<dyn Driver>,
    pub(super) clock: Clock,
    pub(super) deadline: Moment,
    pub(super) force: bool,
    pub(super) observe: bool,
    pub(super) trips: TripOverrides,
    pub(super) sensors: Vec<SensorConfig>,
    pub(super) restore_clock: Option<ClockRange>,
    pub(super) state_dir: PathBuf,
    pub(super) events: Arc<Events>,
    pub(super) entry: Entry,
}

/// Whether a GPU may be given back now.
enum Readiness {
    Ready,
    /// Why not yet.
    Wait(String),
}

impl Job {
    /// Returns by the deadline, unless the driver hangs. What came of it is an event, too.
    pub(super) fn run(self) -> Outcome {
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
            let reading = self.look(gpu);
            let beside = self.look_beside(gpu.as_deref(), &reading, &mut probes);
            let judged = self.judge(&mut judge, gpu.as_deref(), &reading, &beside);
            let why = match self.readiness(gpu.as_deref(), &reading, judged, &beside) {
                Readiness::Ready => return self.settle(gpu.as_deref_mut(), &reading),
                Readiness::Wait(why) => why,
            };
            let left = self.deadline.since(self.clock.wall());
            if left.is_zero() {
                return Outcome::Kept(format!("kept throttled: {why}"));
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }

    /// A full reading, through a handle opened anew if the last was lost.
    fn look(&self, gpu: &mut Option<Box<dyn Gpu>>) -> Reading {
        let now = self.clock.now();
        if gpu.is_none() {
            *gpu = self.driver.open(&self.entry.uuid).ok();
        }
        let reading = gpu.as_mut().map_or_else(
            || Reading::missing(now, Missing::Lost),
            |gpu| {
                let reading = gpu.read(now, Cadence::Full).plausible(gpu.facts());
                recount(gpu.as_mut(), &self.entry, reading)
            },
        );
        if reading.is_lost() {
            *gpu = None;
        }
        reading
    }

    /// The sensors beside the card's own.
    fn look_beside(
        &self,
        gpu: Option<&dyn Gpu>,
        reading: &Reading,
        probes: &mut Probes,
    ) -> Vec<Probe> {
        let Some(gpu) = gpu else {
            return Vec::new();
        };
        probes.choose(&self.sensors, gpu.identity());
        probes.read(reading.at, LOOK_EVERY, gpu.identity())
    }

    /// The judgement that a guard would come to, which starts from what the dead one doubted.
    fn judge(
        &self,
        judge: &mut Option<Judge>,
        gpu: Option<&dyn Gpu>,
        reading: &Reading,
        beside: &[Probe],
    ) -> Option<Judgement> {
        let facts = gpu?.facts();
        let judge = judge.get_or_insert_with(|| {
            let mut judge = Judge::new(self.trips, facts).expecting_falls();
            judge.inherit(&self.entry.reason.doubts());
            judge
        });
        Some(judge.look(reading.at, reading, facts, beside, true))
    }

    fn readiness(
        &self,
        gpu: Option<&dyn Gpu>,
        reading: &Reading,
        judged: Option<Judgement>,
        beside: &[Probe],
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
        // The dead guard may have held on for what this one said last: nobody knows any more.
        let lost = beside.iter().find(|probe| probe.now.is_none());
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

    fn settle(&self, gpu: Option<&mut (dyn Gpu + 'static)>, reading: &Reading) -> Outcome {
        let uuid = &self.entry.uuid;
        if self.observe {
            return Outcome::Kept(format!(
                "kept, as nothing is written in observe mode; would give back {}",
                described(&self.entry.claim)
            ));
        }
        let journal = Journal::open(&self.state_dir, uuid);
        let mut hand = Hand::new(uuid.clone(), journal);
        hand.set_restore_clock(self.restore_clock);
        let mut tally = Tally::default();
        let inherited = inherit(&mut hand, &self.entry, reading, &mut tally);
        let mut ours = *hand.claim();
        let mut out_of_reach = None;
        if let Some(gpu) = gpu {
            self.give_back(&mut hand, gpu, &mut tally);
            out_of_reach = settle_for_nearest(&mut hand, &mut tally);
        }
        if !hand.claim().is_empty() {
            return Outcome::Kept(format!(
                "kept: {} not given back ({})",
                described(hand.claim()),
                trouble(&tally, hand.last_limit())
            ));
        }
        if !self.is_forgotten(uuid) {
            return Outcome::Kept("given back, but its journal can't be removed".to_owned());
        }
        if let Inherited::Nothing(reason) = inherited {
            return Outcome::Done(format!("nothing to give back: {reason}"));
        }
        if out_of_reach.is_some() {
            ours.limit = None;
        }
        let given_back = (!ours.is_empty()).then(|| format!("gave back {}", described(&ours)));
        let foreign = matches!(inherited, Inherited::AllButTheLimit);
        let foreign = foreign.then(|| self.left_alone(reading));
        let parts = [given_back, out_of_reach.map(said), foreign];
        Outcome::Done(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }

    /// What somebody else has set, and what was there before the guard: for whoever knows better.
    fn left_alone(&self, reading: &Reading) -> String {
        let theirs = reading.limit.map(|limit| format!(" to {limit}"));
        let before = self.entry.claim.limit.map(|ours| {
            let original = ours.original;
            format!(" (it was {original} before the guard)")
        });
        format!(
            "somebody else has set the power limit{} since{}: left alone",
            theirs.unwrap_or_default(),
            before.unwrap_or_default()
        )
    }

    fn give_back(&self, hand: &mut Hand, gpu: &mut dyn Gpu, tally: &mut Tally) {
        for _ in 0..TRIES {
            if hand.claim().is_empty() {
                return;
            }
            let facts = gpu.facts().clone();
            let reading = gpu.read(self.clock.now(), Cadence::Full).plausible(&facts);
            hand.set_range(&facts);
            hand.give_back(gpu, &reading, tally);
            if !hand.claim().is_empty() {
                thread::sleep(TRY_EVERY);
            }
        }
    }

    /// The journal's thread may still be about to remove the file.
    fn is_forgotten(&self, uuid: &Uuid) -> bool {
        for _ in 0..TRIES {
            if matches!(journal::load(&self.state_dir, uuid), Ok(None)) {
                return true;
            }
            thread::sleep(TRY_EVERY);
        }
        false
    }
}

/// An original limit that the card doesn't take any more is given up once the nearest is set.
fn settle_for_nearest(hand: &mut Hand, tally: &mut Tally) -> Option<OutOfReach> {
    let out_of_reach = hand.out_of_reach()?;
    let claim = Claim {
        limit: None,
        ..*hand.claim()
    };
    hand.reclaim(claim, tally);
    Some(out_of_reach)
}

fn said(it: OutOfReach) -> String {
    let OutOfReach {
        original,
        range,
        set,
    } = it;
    let (min, max) = (range.min, range.max);
    format!("{original} isn't taken any more ({min} to {max}): {set} is set, the nearest")
}

/// Why the temperature isn't known; what the dead guard doubted is its word.
fn unseen(judged: Option<Judgement>, left: &Reason) -> String {
    let doubted = judged.and_then(|it| it.doubted.zip(it.doubt));
    let doubted = doubted.map(|(sensor, doubt)| match doubt {
        Doubt::Inherited => (sensor, left.doubted[sensor].unwrap_or(doubt)),
        _ => (sensor, doubt),
    });
    let why = match doubted {
        Some((sensor, Doubt::Missing)) => format!("its {} sensor can't be read", sensor.name()),
        Some((sensor, doubt)) => format!(
            "its {} sensor isn't believed ({}), as the guard that left it so found, and hasn't proven itself",
            sensor.name(),
            doubt.name()
        ),
        None => "its temperature can't be read".to_owned(),
    };
    format!("{why}; `thermal-guard restore --force` gives back blindly")
}

/// What a claim holds, in words.
fn described(claim: &Claim) -> String {
    let limit = claim
        .limit
        .map(|limit| format!("the power limit {}", limit.original));
    let gpu_clock = claim.gpu_clock.then(|| "the SM clock".to_owned());
    let memory_clock = claim.memory_clock.then(|| "the memory clock".to_owned());
    let parts: Vec<String> = [limit, gpu_clock, memory_clock]
        .into_iter()
        .flatten()
        .collect();
    parts.join(" and ")
}

/// What writes came to, but for those that worked; `now` is the limit that is on the card.
fn trouble(tally: &Tally, now: Option<Watts>) -> String {
    let mut troubles = Vec::new();
    for action in Action::ALL {
        for result in ActionResult::ALL {
            if result != ActionResult::Ok && tally.actions[action as usize][result as usize] > 0 {
                troubles.push(format!("{}: {}", action.name(), result.name()));
            }
        }
    }
    match now {
        Some(now) if !troubles.is_empty() => {
            format!("the card has {now}; {}", troubles.join(", "))
        }
        None if !troubles.is_empty() => troubles.join(", "),
        Some(now) => format!("the card takes no more than the {now} that are on it now"),
        None => "the limit can't be read".to_owned(),
    }
}
