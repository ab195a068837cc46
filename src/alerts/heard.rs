//! The nodes that heartbeats come for. A guard whose node has another name than Prometheus uses (in a
//! container, for example) gets no chain, and nothing else tells its operator why.

use std::time::Duration;

use parking_lot::Mutex;

use super::target::labels::Labels;
use super::target::node::{INSTANCE, NAMES, Node};
use crate::log_limit::{Line, LogLimit};
use crate::units::Moment;

/// The names in the last heartbeats, as their sender wrote them. They are shown, and used for nothing
/// else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// In the last heartbeat for this guard.
    pub ours: Option<String>,
    /// In a heartbeat for another node, if none for this guard came since.
    pub others: Option<String>,
}

pub(super) struct Heard {
    names: Mutex<Names>,
    lines: LogLimit,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            names: Mutex::default(),
            // Chosen: the cause lasts until somebody corrects a name.
            lines: LogLimit::new(1, Duration::from_secs(300)),
        }
    }
}

impl Heard {
    pub(super) fn names(&self) -> Names {
        self.names.lock().clone()
    }

    /// A heartbeat came for this guard.
    pub(super) fn for_this_node(&self, labels: &Labels) {
        *self.names.lock() = Names {
            ours: spoken(labels),
            others: None,
        };
    }

    /// A heartbeat came for another node, and none for this guard with it. Logged if `now` is given.
    pub(super) fn for_another(&self, node: &Node, labels: &Labels, now: Option<Moment>) {
        let name = spoken(labels).unwrap_or_default();
        self.names.lock().others = Some(name.clone());
        if let Some(Line { unsaid }) = now.and_then(|now| self.lines.line(now)) {
            let called = called(node);
            tracing::warn!(
                heard = name,
                called,
                unsaid,
                "heartbeats come for another node, and none for this guard: if that is this node, put its name under node.names; else correct the route, or alertmanager.filter"
            );
        }
    }
}

/// The alert's name for its node, for people: short, on one line.
pub(crate) fn spoken(labels: &Labels) -> Option<String> {
    /// Characters.
    const SHOWN: usize = 64;
    let mut all = [INSTANCE].into_iter().chain(NAMES);
    let name = all.find_map(|name| labels.get(name))?;
    let plain = name.chars().filter(|c| !c.is_control());
    Some(plain.take(SHOWN).collect())
}

/// The first few names of this node, for people.
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
    fn a_name_is_shown_short_and_without_control_characters() {
        let long = format!("a\u{1b}[2J\n{}", "x".repeat(1000));
        let shown = spoken(&Labels::from([("instance", long.as_str()), ("node", "n")]));
        assert_eq!(shown.map(|it| it.chars().count()), Some(64));
        let node = Labels::from([("instance", ""), ("Hostname", "n7")]);
        assert_eq!(spoken(&node).as_deref(), Some("n7"));
        assert_eq!(spoken(&Labels::default()), None);
    }
}
