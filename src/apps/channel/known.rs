//! The task's knowledge of its app, and one attempt to tell it.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::apps::envfile;
use crate::apps::envfile::{Edit, Mounted, Taken};
use crate::policy::AppMode;

use crate::apps::http;
use crate::apps::means::Means;
use crate::apps::record::Entry;

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances of one app"
)]
pub(crate) struct Known {
    /// The app's present mode in its own word, if certain.
    word: Option<String>,
    normal: String,
    /// The original values in its file.
    pub(crate) taken: Option<Taken>,
    /// The wanted journal entry.
    pub(crate) entry: Option<Entry>,
    /// Older entries for this place, until they are gone from disk.
    pub(crate) superseded: Vec<Entry>,
    /// Whether that is on disk.
    pub(crate) is_journaled: bool,
    /// To be told once more, although it was told.
    pub(crate) again: bool,
    /// An attempt has failed since it was last normal: a request that timed out may still arrive.
    doubtful: bool,
    is_throttled: bool,
    /// Its health answer named another mode, so it was told again.
    pub(crate) contradicted: bool,
}

/// An attempt, ready to be made.
pub(crate) struct Prepared {
    pub(crate) taken: Option<Taken>,
    act: Act,
}

enum Act {
    Nothing,
    Write(Box<Edit>),
    Send(Arc<Means>, String),
}

/// The result of a successful attempt.
#[derive(Default)]
pub(crate) struct Said {
    /// Something was sent or written.
    pub(crate) done: bool,
    /// A process that mounts the file doesn't see the change.
    pub(crate) unseen: bool,
    pub(crate) remark: Option<String>,
}

impl Known {
    /// An app is normal unless an earlier guard [left](Self::join) it otherwise.
    pub(crate) fn new(means: &Means) -> Self {
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

    /// Adds an entry of an earlier guard, even if this guard has told the app something since.
    pub(crate) fn join(&mut self, means: &Means, left: &Entry) {
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
        // Two entries for one place, as older guards wrote.
        self.superseded.extend(self.entry.replace(left.clone()));
        self.is_journaled = true;
    }

    /// It was told a mode and still follows it.
    pub(crate) const fn is_told(&self) -> bool {
        self.word.is_some()
    }

    pub(crate) fn needs(&self, word: &str) -> bool {
        self.again || self.word.as_deref() != Some(word)
    }

    pub(crate) const fn is_throttled(&self) -> bool {
        self.is_throttled
    }

    /// Whether it is told again at intervals: while throttled, and once more after a normal that an
    /// earlier message may have overtaken.
    pub(crate) const fn is_repeated(&self) -> bool {
        self.is_throttled || self.doubtful
    }

    /// Whether this attempt only repeats a normal that arrived.
    pub(crate) fn was_told_normal(&self) -> bool {
        self.again && !self.is_throttled && self.word.as_ref() == Some(&self.normal)
    }

    /// Another configuration may use another word: nothing needs to be told to an app at rest.
    pub(crate) fn call_normal(&mut self, normal: &str) {
        if self.normal != normal {
            if !self.is_throttled && self.word.as_ref() == Some(&self.normal) {
                self.word = Some(normal.to_owned());
            }
            normal.clone_into(&mut self.normal);
        }
    }

    /// Unknown during the attempt: a request that timed out may have arrived.
    pub(crate) fn begin(&mut self, throttles: bool) {
        if throttles || !self.was_told_normal() {
            self.word = None;
        }
    }

    pub(crate) fn failed(&mut self) {
        self.doubtful = true;
        self.again = false;
    }

    pub(crate) fn told(&mut self, word: &str, throttles: bool) {
        if !throttles {
            // A normal is repeated once.
            self.doubtful &= !self.was_told_normal();
            self.taken = None;
        }
        self.is_throttled = throttles;
        self.word = Some(word.to_owned());
        self.again = false;
    }

    /// Prepares an attempt without changing anything yet. `None`: give back.
    pub(crate) async fn prepare(
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
    pub(crate) async fn carry_out(self) -> Result<Said, String> {
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
            "process {pid} has a former file of that name mounted by itself, at {at}, and doesn't see this one: mount its directory instead, and restart that container"
        )
    } else {
        format!(
            "process {pid} has the file mounted by itself, at {at}: written in place for that, so that a reader may meet it half written; mount its directory instead"
        )
    }
}
