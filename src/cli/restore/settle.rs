//! Gives one GPU back, and checks that nothing is left.

use std::thread;
use std::time::Duration;

use crate::device::{Cadence, Gpu, Reading, Uuid};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::journal;
use crate::guard::actuate::journal::Journal;
use crate::guard::actuate::limit::OutOfReach;
use crate::guard::actuate::takeover::{TakenOver, take_over};
use crate::policy::Claim;

use super::gpu::Job;
use super::report::Outcome;
use super::words::{described, left_alone, said, trouble};

/// A raise waits for the journal, and a disk may be slow at first: this many tries, this far apart.
const TRIES: u32 = 5;
const TRY_EVERY: Duration = Duration::from_millis(300);

impl Job {
    pub(super) fn settle(
        &self,
        gpu: Option<&mut (dyn Gpu + 'static)>,
        reading: &Reading,
    ) -> Outcome {
        let uuid = &self.entry.uuid;
        if self.observe {
            return Outcome::Kept(format!(
                "kept, as nothing is written in observe mode; would give back {}",
                described(&self.entry.claim)
            ));
        }
        let journal = Journal::open(&self.journal_dirs, uuid);
        let mut actuation = Actuation::new(uuid.clone(), journal);
        actuation.set_restore_clock(self.restore_clock);
        let taken_over = take_over(&mut actuation, &self.entry, reading);
        let mut ours = *actuation.claim();
        let mut out_of_reach = None;
        if let Some(gpu) = gpu {
            self.give_back(&mut actuation, gpu);
            out_of_reach = settle_for_nearest(&mut actuation);
        }
        if !actuation.claim().is_empty() {
            return Outcome::Kept(format!(
                "kept: {} not given back ({})",
                described(actuation.claim()),
                trouble(&actuation.take_outcomes(), actuation.last_limit())
            ));
        }
        if !self.is_forgotten(uuid) {
            return Outcome::Kept("given back, but its journal can't be removed".to_owned());
        }
        if let TakenOver::Nothing(reason) = taken_over {
            return Outcome::Done(format!("nothing to give back: {reason}"));
        }
        if out_of_reach.is_some() {
            ours.limit = None;
        }
        let given_back = (!ours.is_empty()).then(|| format!("gave back {}", described(&ours)));
        let foreign = matches!(taken_over, TakenOver::AllButTheLimit);
        let foreign = foreign.then(|| left_alone(&self.entry, reading));
        let parts = [given_back, out_of_reach.map(said), foreign];
        Outcome::Done(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }

    fn give_back(&self, actuation: &mut Actuation, gpu: &mut dyn Gpu) {
        for _ in 0..TRIES {
            if actuation.claim().is_empty() {
                return;
            }
            let facts = gpu.facts().clone();
            let reading = gpu.read(self.clock.now(), Cadence::Full).plausible(&facts);
            actuation.set_range(&facts);
            actuation.give_back(gpu, &reading);
            if !actuation.claim().is_empty() {
                thread::sleep(TRY_EVERY);
            }
        }
    }

    /// The journal's thread may still be about to remove the file.
    fn is_forgotten(&self, uuid: &Uuid) -> bool {
        for _ in 0..TRIES {
            if matches!(journal::load(&self.journal_dirs, uuid), Ok(None)) {
                return true;
            }
            thread::sleep(TRY_EVERY);
        }
        false
    }
}

/// Gives up an original limit that the card doesn't take any more, once the nearest limit is set.
fn settle_for_nearest(actuation: &mut Actuation) -> Option<OutOfReach> {
    let out_of_reach = actuation.out_of_reach()?;
    let claim = Claim {
        limit: None,
        ..*actuation.claim()
    };
    actuation.reclaim(claim);
    Some(out_of_reach)
}
