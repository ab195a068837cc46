//! What an alert asks for, and of which GPUs: from its labels alone.

use std::collections::BTreeMap;

use crate::device::Uuid;
use crate::policy::Level;
use crate::web::Settings;
use crate::web::gpus::Gpus;
use crate::web::node::{Node, Whose};

use super::{Action, Outcome};

type Labels = BTreeMap<String, String>;

/// The label's action, or, where the operator opted in and there is no such label, the severity's.
/// `Err`: an action that there isn't.
pub(crate) fn action(labels: &Labels, settings: &Settings) -> Result<Action, Outcome> {
    match labels.get("guard_action").map(String::as_str) {
        Some("gradual") => Ok(Action::Gradual),
        Some("emergency") => Ok(Action::Emergency),
        Some("heartbeat") => Ok(Action::Heartbeat),
        Some("none" | "") => Ok(Action::None),
        Some(_) => Err(Outcome::NotAllowed),
        None => {
            let severity = labels.get("severity");
            let level = severity.and_then(|severity| settings.severity_map.get(severity));
            Ok(match level {
                Some(Level::Gradual) => Action::Gradual,
                Some(Level::Emergency) => Action::Emergency,
                Some(Level::None) | None => Action::None,
            })
        }
    }
}

/// The GPUs that an alert is about.
///
/// A UUID is unique in the world and decides alone, also against. A slot is taken for ours unless
/// the alert names another node. An index, or the whole node, must come with our name.
pub(super) fn gpus(labels: &Labels, gpus: Gpus, node: &Node) -> Result<Vec<Uuid>, Outcome> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let one = |gpu: Option<_>| gpu.ok_or(Outcome::Unmapped);
    let uuid = ["uuid", "UUID", "gpu_uuid"].into_iter().find_map(label);
    let found = if let Some(uuid) = uuid {
        vec![one(gpus.by_uuid(uuid))?]
    } else if let Some(address) = label("pci_bus_id") {
        not_anothers(node.judge(labels))?;
        vec![one(gpus.by_pci(address))?]
    } else if let Some(index) = label("gpu") {
        ours(node.judge(labels))?;
        vec![one(gpus.by_index(index))?]
    } else if label("scope").is_some_and(|scope| scope == "node") {
        ours(node.judge(labels))?;
        gpus.all()
    } else {
        return Err(Outcome::Unmapped);
    };
    Ok(found.iter().map(|gpu| gpu.uuid.clone()).collect())
}

fn not_anothers(whose: Whose) -> Result<(), Outcome> {
    match whose {
        Whose::Ours | Whose::Unsaid => Ok(()),
        Whose::AnotherNodes => Err(Outcome::WrongNode),
    }
}

fn ours(whose: Whose) -> Result<(), Outcome> {
    match whose {
        Whose::Ours => Ok(()),
        Whose::AnotherNodes => Err(Outcome::WrongNode),
        Whose::Unsaid => Err(Outcome::Unmapped),
    }
}
