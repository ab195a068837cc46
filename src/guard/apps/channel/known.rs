//! What a channel's task knows of its app, and one attempt to tell it.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::guard::envfile::{self, Edit, Mounted, Taken};
use crate::policy::AppMode;

use super::super::http;
use super::super::means::Means;
use super::super::record::Entry;

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances of one app"
)]
pub(super) struct Known {
    /// Its present word, if that is certain.
    word: Option<String>,
    normal: String,
    /// What stood in its file.
    pub(super) taken: Option<Taken>,
    /// What the journal ought to say.
    pub(super) entry: Option<Entry>,
    /// What else it says of this place, until that is on disk.
    pub(super) superseded: Vec<Entry>,
    /// That is on disk.
    pub(super) is_journaled: bool,
    /// To be told once more, though it was told.
    pub(super) again: bool,
    /// An attempt since it was last normal failed: a request that timed out may still arrive.
    doubtful: bool,
    is_throttled: bool,
    /// Its health answer named another mode, and it was told again for that.
    pub(super) contradicted: bool,
}

/// An attempt, ready to be made.
pub(super) struct Prepared {
    pub(super) taken: Option<Taken>,
    act: Act,
}

enum Act {
    Nothing,
    Write(Box<Edit>),
    Send(Arc<Means>, String),
}

/// How an attempt went that got through.
#[derive(Default)]
pub(super) struct Said {
    /// Something was sent or written.
    pub(super) done: bool,
    /// Somebody doesn't see it.
    pub(super) unseen: bool,
    pub(super) remark: Option<String>,
}

impl Known {
    /// An app goes by normal, unless a guard before this one [left](Self::join) it otherwise.
    pub(super) fn new(means: &Means) -> Self {
        let normal = means.word(AppMode::Normal).to_owned();
        Self {
            word: Some(normal.clone()),
            normal,
            taken: None,
            is_throttled: false,
            entry: None,
            superseded: Vec::new(),
            is_journaled: true,
            again: false,
            doubtful: false,
            contradicted: false,
        }
    }

    /// What a guard before this one left there, whatever this one has said since.
    pub(super) fn join(&mut self, means: &Means, left: &Entry) {
        let unknown = || match means {
            Means::EnvFile(file, _) => Some(Taken::unknown(file)),
            Means::Http(..) => None,
        };
        let theirs = left.taken().or_else(unknown);
        self.taken = match (self.taken.take(), theirs) {
            (Some(ours), Some(theirs)) => Some(ours.after(&theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        if !self.is_throttled {
            self.is_throttled = true;
            self.word = None;
        }
        // Two owners of one place, as guards before this one had.
        self.superseded.extend(self.entry.replace(left.clone()));
        self.is_journaled = true;
    }

    /// It was told something that it still goes by.
    pub(super) const fn is_told(&self) -> bool {
        self.word.is_some()
    }

    pub(super) fn needs(&self, word: &str) -> bool {
        self.again || self.word.as_deref() != Some(word)
    }

    pub(super) const fn is_throttled(&self) -> bool {
        self.is_throttled
    }

    /// Told again now and then: while throttled, and once more after a normal that something said
    /// before may have overtaken.
    pub(super) const fn is_repeated(&self) -> bool {
        self.is_throttled || self.doubtful
    }

    /// This attempt only repeats a normal that was heard.
    pub(super) fn was_told_normal(&self) -> bool {
        self.again && !self.is_throttled && self.word.as_ref() == Some(&self.normal)
    }

    /// Another configuration may have another word for it: nothing to tell an app that is at rest.
    pub(super) fn call_normal(&mut self, normal: &str) {
        if self.normal != normal {
            if !self.is_throttled && self.word.as_ref() == Some(&self.normal) {
                self.word = Some(normal.to_owned());
            }
            normal.clone_into(&mut self.normal);
        }
    }

    /// Not known while under way: a request that timed out may have arrived.
    pub(super) fn begin(&mut self, throttles: bool) {
        if throttles || !self.was_told_normal() {
            self.word = None;
        }
    }

    pub(super) fn failed(&mut self) {
        self.doubtful = true;
        self.again = false;
    }

    pub(super) fn told(&mut self, word: &str, throttles: bool) {
        if !throttles {
            // The repetition of a normal is the last.
            self.doubtful &= !self.was_told_normal();
            self.taken = None;
        }
        self.is_throttled = throttles;
        self.word = Some(word.to_owned());
        self.again = false;
    }

    /// Looks what there is to do; `None`: to go on as before. Nothing is changed yet.
    pub(super) async fn prepare(
        &self,
        means: &Arc<Means>,
        word: Option<&str>,
        observe: bool,
    ) -> Result<Prepared, String> {
        if observe {
            let act = Act::Nothing;
            let taken = None;
            return Ok(Prepared { taken, act });
        }
        let Means::EnvFile(file, _) = &**means else {
            let word = word.unwrap_or(means.word(AppMode::Normal)).to_owned();
            let act = Act::Send(Arc::clone(means), word);
            return Ok(Prepared { taken: None, act });
        };
        let (file, taken) = (file.clone(), self.taken.clone());
        let word = word.map(str::to_owned);
        let prepared = spawn_blocking(move || {
            let (edit, taken) = match (word, taken) {
                (Some(word), before) => {
                    let (edit, taken) = envfile::take(&file, &word, before.as_ref())?;
                    (Some(edit), Some(taken))
                }
                (None, Some(taken)) => (Some(envfile::give_back(&file, &taken)?), Some(taken)),
                (None, None) => (None, None),
            };
            let act = edit.map_or(Act::Nothing, |edit| Act::Write(Box::new(edit)));
            Ok::<_, envfile::EnvFileError>(Prepared { taken, act })
        });
        let prepared = prepared.await.map_err(|panic| panic.to_string())?;
        prepared.map_err(|error| error.to_string())
    }
}

impl Prepared {
    pub(super) async fn carry_out(self) -> Result<Said, String> {
        let act = self.act;
        let done = spawn_blocking(move || match act {
            Act::Nothing => Ok(Said::default()),
            Act::Write(edit) => match edit.carry_out() {
                Ok(done) => Ok(Said {
                    done: done.written,
                    unseen: done.mounted.as_ref().is_some_and(|it| it.is_former),
                    remark: done.mounted.map(|mounted| remark(&mounted)),
                }),
                Err(error) => Err(error.to_string()),
            },
            Act::Send(means, word) => match &*means {
                Means::Http(config, agent) => match http::tell(agent, config, &word) {
                    Ok(()) => Ok(Said {
                        done: true,
                        ..Said::default()
                    }),
                    Err(error) => Err(error.to_string()),
                },
                Means::EnvFile(..) => Ok(Said::default()),
            },
        });
        done.await.unwrap_or_else(|panic| Err(panic.to_string()))
    }
}

fn remark(mounted: &Mounted) -> String {
    let Mounted { pid, at, is_former } = mounted;
    let at = at.display();
    if *is_former {
        format!(
            "process {pid} has a former file of that name mounted by itself, at {at}, and doesn't see this one: mount its directory instead, and start that container anew"
        )
    } else {
        format!(
            "process {pid} has the file mounted by itself, at {at}: written in place for that, so that a reader may meet it half written; mount its directory instead"
        )
    }
}
