//! The wanted modes, the GPUs that exist, and the modes that follow for the apps.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::device::{Identity, Uuid};
use crate::policy::AppMode;

use super::means::Means;
use super::record::Entry;
use super::roster::{Roster, Wanted};
use super::status::Unknown;

/// The result of reading the journal.
pub(crate) enum Answer {
    Left(Vec<(Entry, Option<Means>)>),
    /// It isn't a journal, with the reason.
    Foreign(io::Error),
}

pub(crate) struct State {
    pub(crate) roster: Roster,
    pub(crate) unknown: Option<Unknown>,
    /// The last two inventories, the newest first.
    pub(crate) listed: [Option<Vec<Arc<Identity>>>; 2],
    /// The mode that each GPU's worker wants of its apps.
    pub(crate) wishes: HashMap<Uuid, (Arc<Identity>, AppMode)>,
}

impl State {
    pub(crate) fn take_up(&mut self, answer: Answer) {
        match answer {
            Answer::Left(found) => {
                self.unknown = None;
                self.roster.take_up(found);
            }
            Answer::Foreign(error) => {
                tracing::error!(%error, "apps.json in the state directory can't be understood: which applications were left throttled isn't known");
                self.unknown = Some(Unknown::Foreign(error.to_string()));
                self.roster.suspect_all();
            }
        }
    }

    /// Each app follows the GPU that wants the most throttling. An app whose GPUs have said nothing is
    /// left alone; an app whose GPUs were all forgotten goes back to normal.
    pub(crate) fn pass_on(&mut self) {
        let (wishes, [now, before]) = (&self.wishes, &self.listed);
        self.roster.wish(|gpus| {
            let own = wishes.values().filter(|(gpu, _)| gpus.matches(gpu));
            let most = own.map(|(_, mode)| *mode).max();
            let is_silent =
                |gpu: &Arc<Identity>| gpus.matches(gpu) && !wishes.contains_key(&gpu.uuid);
            let is_gone = |listed: &Option<Vec<Arc<Identity>>>| {
                let listed = listed.as_ref();
                listed.is_some_and(|all| !all.iter().any(|gpu| gpus.matches(gpu)))
            };
            match most {
                Some(mode) if mode > AppMode::Normal => Wanted::Mode(mode),
                _ if now.iter().flatten().any(is_silent) => Wanted::Open,
                Some(mode) => Wanted::Mode(mode),
                None if is_gone(now) && is_gone(before) => Wanted::Gone,
                None => Wanted::Nothing,
            }
        });
    }
}
