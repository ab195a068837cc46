//! For whom heartbeats come: a guard that is called otherwise than Prometheus calls it (in a
//! container, say) gets no chain, and nothing else tells its operator why.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::policy::ChainState;

use super::alert::Labels;
use super::node::{INSTANCE, NAMES, Node};
use super::sparing::{Line, Sparing};
use super::{Settings, Web};

/// The names in the last heartbeats, as their sender wrote them: shown, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the last one that was for this guard.
    pub ours: Option<String>,
    /// Of one for somebody else, where none has been for this guard since.
    pub others: Option<String>,
}

pub(super) struct Heard {
    names: Mutex<Names>,
    lines: Sparing,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            names: Mutex::default(),
            // Chosen: it stays so until somebody mends it.
            lines: Sparing::new(1, Duration::from_secs(300)),
        }
    }
}

impl Heard {
    pub(super) fn names(&self) -> Names {
        let names = self.names.lock();
        names.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, change: impl FnOnce(&mut Names)) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut names);
    }
}

/// A heartbeat for this guard.
pub(super) fn ours(web: &Web, labels: &Labels) {
    let name = spoken(labels);
    web.heard.set(|names| {
        names.ours = name;
        names.others = None;
    });
}

/// A heartbeat for somebody else, and none for this guard with it.
pub(super) fn others(web: &Web, settings: &Settings, labels: &Labels) {
    let name = spoken(labels).unwrap_or_default();
    web.heard.set(|names| names.others = Some(name.clone()));
    let now = web.shared.clock.wall();
    if web.shared.chain().state(now) == ChainState::Ok {
        return;
    }
    if let Some(Line { unsaid }) = web.heard.lines.line(now) {
        let called = called(&settings.node);
        tracing::warn!(
            heard = name,
            called,
            unsaid,
            "heartbeats come for another node, and none for this guard: if that is this node, put its name under node.names; else correct the route, or alertmanager.filter"
        );
    }
}

/// What an alert calls its node, for people: short, on one line.
pub(super) fn spoken(labels: &Labels) -> Option<String> {
    /// Characters.
    const SHOWN: usize = 64;
    let mut all = [INSTANCE].into_iter().chain(NAMES);
    let name = all.find_map(|name| labels.get(name))?;
    let plain = name.chars().filter(|c| !c.is_control());
    Some(plain.take(SHOWN).collect())
}

/// What this node is called, for people: the first few.
pub(crate) fn called(node: &Node) -> String {
    const SHOWN: usize = 8;
    let names = node.names();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let names: Vec<_> = names.into_iter().take(SHOWN).collect();
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_name_is_short_and_plain() {
        let long = format!("a\u{1b}[2J\n{}", "x".repeat(1000));
        let shown = spoken(&Labels::from([("instance", long.as_str()), ("node", "n")]));
        assert_eq!(shown.map(|it| it.chars().count()), Some(64));
        let node = Labels::from([("instance", ""), ("Hostname", "n7")]);
        assert_eq!(spoken(&node).as_deref(), Some("n7"));
        assert_eq!(spoken(&Labels::default()), None);
    }
}
