//! The webhook for people: whether its files can be read. Nothing is sent.

use crate::alerts::target::node::Node;
use crate::cli::flags::Flags;
use crate::config::Config;
use crate::events::{Origin, notify};

use super::finding::Finding;

const CHECK: &str = "notify";

pub(crate) fn of(flags: &Flags, config: &Config, node: &Node) -> Option<Finding> {
    let settings = config.notify.as_ref()?;
    let origin = Origin {
        node: node.name().to_owned(),
        mode: config.mode,
        simulated: flags.simulate,
    };
    Some(match notify::target(settings, origin) {
        Ok(to) => {
            let least = settings.min_severity.name();
            let detail = format!("events from severity {least} on go to {to}; nothing was sent");
            Finding::ok(CHECK, detail)
        }
        Err(why) => Finding::warn(
            CHECK,
            why,
            "correct `notify` or that file; until then nobody is told, and protection goes on",
        ),
    })
}
