//! How many events were told, and how many never will be.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::registry::{Optional, Registry, Words, register};

/// What became of the events that were to be told.
#[derive(Clone, Debug)]
pub struct NotifyCounters {
    family: Family<Words<1>, Counter>,
    pub delivered: Counter,
    /// The webhook refused them, or couldn't be reached for an hour, or there were too many.
    pub dropped: Counter,
    /// Absent until the first message.
    pub up: Optional<Gauge>,
}

impl Default for NotifyCounters {
    fn default() -> Self {
        let family = Family::default();
        let of = |result| {
            let family: &Family<Words<1>, Counter> = &family;
            family.get_or_create_owned(&[("result", result)])
        };
        let (delivered, dropped) = (of("delivered"), of("dropped"));
        Self {
            family,
            delivered,
            dropped,
            up: Optional::default(),
        }
    }
}

impl NotifyCounters {
    pub fn register(&self, registry: &mut Registry) {
        register(
            registry,
            "thermal_guard_notify_events_total",
            "Events for the webhook of `notify`, by result: delivered, or dropped because it refused them or couldn't be reached.",
            self.family.clone(),
        );
        register(
            registry,
            "thermal_guard_notify_up",
            "1 if the webhook of `notify` accepted the last message, 0 if it refused it or couldn't be reached. Absent until the first message.",
            self.up.clone(),
        );
    }
}
