//! What an alert asks for, and of which GPUs: from its labels alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gpus::{Gpus, is_named_uuid, is_uuid};
use super::labels::{ADDRESSES, CARDS, DEVICE, INDEX, Labels, SCOPE, SEVERITY, UUIDS};
use super::node::{Node, Whose};
use crate::alerts::outcome::{Action, Outcome};
use crate::config::PciAddress;
use crate::device::{Identity, Uuid};
use crate::policy::Level;

/// The action that an alert asks for: in its own label or, if that is missing and the operator maps
/// severities to actions, by its severity. `Err`: the action doesn't exist or can't be read.
pub(crate) fn action(
    labels: &Labels,
    severity_map: &BTreeMap<String, Level>,
) -> Result<Action, Outcome> {
    match labels.raw("guard_action") {
        Some("gradual") => Ok(Action::Gradual),
        Some("emergency") => Ok(Action::Emergency),
        Some("heartbeat") => Ok(Action::Heartbeat),
        Some("none" | "") => Ok(Action::None),
        Some(_) => Err(Outcome::NotAllowed),
        None if labels.is_too_long(SEVERITY) && !severity_map.is_empty() => Err(Outcome::Rejected),
        None => {
            let severity = labels.raw(SEVERITY);
            let level = severity.and_then(|severity| severity_map.get(severity));
            Ok(match level {
                Some(Level::Gradual) => Action::Gradual,
                Some(Level::Emergency) => Action::Emergency,
                Some(Level::None) | None => Action::None,
            })
        }
    }
}

/// The GPUs that an alert is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) gpus: Vec<Uuid>,
    /// A label that contradicts the one that decided.
    pub(crate) against: Option<&'static str>,
}

/// Why an alert is about no GPU under guard here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Miss {
    /// No GPU here has its UUID.
    ForeignUuid,
    /// No GPU here has its PCI address.
    ForeignAddress,
    /// No GPU has that index.
    NoSuchIndex,
    /// It has an index or means the whole node, and doesn't say which node.
    WhichNode,
    /// It names another node.
    AnotherNode,
    /// A label that might name a GPU is too long.
    TooLong(&'static str),
    /// No label names a GPU.
    Nothing,
}

impl Miss {
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::AnotherNode => Outcome::WrongNode,
            Self::TooLong(_) => Outcome::Rejected,
            Self::ForeignUuid
            | Self::ForeignAddress
            | Self::NoSuchIndex
            | Self::WhichNode
            | Self::Nothing => Outcome::Unmapped,
        }
    }
}

/// Finds the GPUs that an alert is about.
///
/// A UUID is unique in the world: it decides alone, both for this node and against it, whatever the
/// other labels say. A PCI address means this node unless the alert names another one. An index, or
/// the whole node, counts only beside a label that names this node. An unknown value rules a GPU out
/// only in a label that is about GPUs.
pub(crate) fn aim(labels: &Labels, gpus: Gpus, node: &Node) -> Result<Aim, Miss> {
    let whose = node.judge(labels);
    if let Some(gpu) = anywhere(labels, &UUIDS).find_map(|(_, value)| gpus.by_uuid(value)) {
        let against = other_gpu(labels, &gpus, &gpu).or_else(|| node.contradicted_by(labels));
        return Ok(Aim::at(&gpu, against));
    }
    if uuids(labels).next().is_some() {
        return Err(Miss::ForeignUuid);
    }
    let slot = anywhere(labels, &ADDRESSES).find_map(|(_, value)| gpus.by_pci(value));
    let another = whose == Whose::AnotherNodes;
    if let Some(gpu) = slot.filter(|_| !another) {
        return Ok(Aim::at(&gpu, other_gpu(labels, &gpus, &gpu)));
    }
    if slots(labels).next().is_some() {
        return Err(if another {
            Miss::AnotherNode
        } else {
            Miss::ForeignAddress
        });
    }
    let number = labels.all(&CARDS).find(|(_, value)| is_number(value));
    if let Some((_, index)) = number {
        ours(whose)?;
        let gpu = gpus.by_index(index).ok_or(Miss::NoSuchIndex)?;
        return Ok(Aim::at(&gpu, None));
    }
    if labels.get(SCOPE) == Some("node") {
        ours(whose)?;
        let gpus = gpus.all();
        return Ok(Aim {
            gpus: gpus.iter().map(|gpu| gpu.uuid.clone()).collect(),
            against: None,
        });
    }
    if let Some(index) = labels.get(INDEX).filter(|value| is_number(value)) {
        ours(whose)?;
        let gpu = gpus.by_index(index).ok_or(Miss::NoSuchIndex)?;
        return Ok(Aim::at(&gpu, None));
    }
    if another && anywhere(labels, &ADDRESSES).next().is_some() {
        return Err(Miss::AnotherNode);
    }
    Err(match labels.too_long().find(|name| *name != SEVERITY) {
        Some(name) => Miss::TooLong(name),
        None => Miss::Nothing,
    })
}

impl Aim {
    fn at(gpu: &Arc<Identity>, against: Option<&'static str>) -> Self {
        Self {
            gpus: vec![gpu.uuid.clone()],
            against,
        }
    }
}

/// A label that names another GPU than `gpu`.
fn other_gpu(labels: &Labels, gpus: &Gpus, gpu: &Identity) -> Option<&'static str> {
    let is = |found: Option<Arc<Identity>>| found.is_some_and(|it| it.uuid == gpu.uuid);
    let uuid = uuids(labels).filter(|(_, value)| !is(gpus.by_uuid(value)));
    let slot = slots(labels).filter(|(_, value)| !is(gpus.by_pci(value)));
    let index = indexes(labels).filter(|(_, value)| !is(gpus.by_index(value)));
    uuid.chain(slot).chain(index).map(|(name, _)| name).next()
}

type Given<'a> = (&'static str, &'a str);

/// In these labels, and in every label that may name a GPU.
fn anywhere<'a>(labels: &'a Labels, names: &'a [&'static str]) -> impl Iterator<Item = Given<'a>> {
    let device = labels.get(DEVICE).map(|value| (DEVICE, value));
    labels.all(names).chain(labels.all(&CARDS)).chain(device)
}

/// UUIDs, known or not. Not only GPUs have UUIDs: without a prefix, a value counts as one only in a
/// label that holds nothing else.
fn uuids(labels: &Labels) -> impl Iterator<Item = Given<'_>> {
    let own = labels.all(&UUIDS).filter(|(_, value)| is_uuid(value));
    let others = labels.all(&CARDS);
    own.chain(others.filter(|(_, value)| is_named_uuid(value)))
}

fn slots(labels: &Labels) -> impl Iterator<Item = Given<'_>> {
    let all = labels.all(&ADDRESSES).chain(labels.all(&CARDS));
    all.filter(|(_, value)| PciAddress::parse(value.trim()).is_some())
}

fn indexes(labels: &Labels) -> impl Iterator<Item = Given<'_>> {
    let other = labels.get(INDEX).map(|value| (INDEX, value));
    let all = labels.all(&CARDS).chain(other);
    all.filter(|(_, value)| is_number(value))
}

fn is_number(value: &str) -> bool {
    value.trim().parse::<i64>().is_ok()
}

fn ours(whose: Whose) -> Result<(), Miss> {
    match whose {
        Whose::Ours => Ok(()),
        Whose::AnotherNodes => Err(Miss::AnotherNode),
        Whose::Unsaid => Err(Miss::WhichNode),
    }
}

#[cfg(test)]
mod tests;
