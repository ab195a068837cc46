//! How long all GPUs have been cool without a break.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::output::in_full;
use crate::units::Moment;

use super::below::Below;
use super::source::GpuHeat;

/// On the wall clock: what happened in a longer gap isn't known.
pub(super) const MOST_APART: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Streak {
    below: Below,
    /// All GPUs have been cool since then.
    since: Option<Moment>,
    /// When it last looked, on the wall clock.
    looked: Option<Moment>,
    /// Each GPU as last seen. One that vanishes doesn't count as cool.
    known: BTreeMap<String, GpuHeat>,
}

impl Streak {
    pub(super) const fn new(below: Below) -> Self {
        Self {
            below,
            since: None,
            looked: None,
            known: BTreeMap::new(),
        }
    }

    /// Takes a look, or why there is none. Returns all GPUs, those that vanished included.
    pub(super) fn note(
        &mut self,
        now: Moment,
        wall: Moment,
        look: anyhow::Result<Vec<GpuHeat>>,
    ) -> Vec<GpuHeat> {
        let gpus = self.complete(look);
        let below = self.below;
        let cool = |gpu: &GpuHeat| gpu.left.as_ref().is_ok_and(|left| below.is_kept(*left));
        let all_cool = !gpus.is_empty() && gpus.iter().all(cool);
        let apart = self.looked.map(|looked| wall.since(looked));
        let unbroken = apart.is_some_and(|apart| apart <= MOST_APART);
        self.looked = Some(wall);
        self.since = match self.since {
            _ if !all_cool => None,
            Some(since) if unbroken => Some(since),
            _ => Some(now),
        };
        gpus
    }

    /// `None`: they aren't all cool.
    pub(super) fn lasts(&self, now: Moment) -> Option<Duration> {
        self.since.map(|since| now.since(since))
    }

    fn complete(&mut self, look: anyhow::Result<Vec<GpuHeat>>) -> Vec<GpuHeat> {
        let (mut gpus, why) = match look {
            Ok(gpus) => (gpus, "not reported any more".to_owned()),
            Err(error) => (Vec::new(), in_full(&error)),
        };
        let is_there = |uuid: &str, gpus: &[GpuHeat]| gpus.iter().any(|gpu| gpu.uuid == *uuid);
        for (uuid, last) in &self.known {
            if !is_there(uuid, &gpus) {
                gpus.push(GpuHeat {
                    core: None,
                    left: Err(why.clone()),
                    ..last.clone()
                });
            }
        }
        let named = gpus.iter().filter(|gpu| !gpu.uuid.is_empty());
        self.known = named.map(|gpu| (gpu.uuid.clone(), gpu.clone())).collect();
        gpus.sort_by_key(|gpu| (gpu.index.is_none(), gpu.index));
        gpus
    }
}

#[cfg(test)]
mod tests;
