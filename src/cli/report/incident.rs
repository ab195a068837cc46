//! One thing that happened, from its begin to its end.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::guard::events::{GpuName, Outcome, Throttle, Weight};

use super::record::some_tenths;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Incident {
    #[serde(serialize_with = "rfc3339")]
    pub(super) began: Duration,
    /// How long, where it lasts at all; so far, while it goes on.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "some_tenths"
    )]
    pub(super) seconds: Option<f64>,
    pub(super) ongoing: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) gpu: Option<GpuName>,
    /// `throttle`, a trouble's name, `chain`, `xid`, `guard`, …
    pub(super) kind: String,
    #[serde(serialize_with = "name")]
    pub(super) weight: Weight,
    /// For people.
    pub(super) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) throttle: Option<Course>,
}

/// How a throttle went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Course {
    /// The highest.
    pub(super) level: String,
    /// Who brought it about first; `None`: not known any more, a guard before this one.
    pub(super) trigger: Option<String>,
    pub(super) why: String,
    /// Begun, escalated, begun again before all was given back.
    pub(super) events: u32,
    /// A guard died over it, and the next went on with it.
    pub(super) taken_over: bool,
    pub(super) recovered: bool,
    pub(super) recovery_seconds: f64,
    pub(super) hottest_celsius: Option<f64>,
}

impl Incident {
    pub(super) fn at(time: Duration, gpu: Option<GpuName>, kind: &str, what: String) -> Self {
        Self {
            began: time,
            seconds: None,
            ongoing: false,
            gpu,
            kind: kind.to_owned(),
            weight: Weight::Warn,
            what,
            throttle: None,
        }
    }

    pub(super) fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// When it was over, or the time of the report if it isn't.
    pub(super) fn end(&self) -> Duration {
        let lasted = Duration::try_from_secs_f64(self.seconds.unwrap_or(0.0));
        self.began.saturating_add(lasted.unwrap_or_default())
    }
}

impl Course {
    pub(super) fn begun(throttle: &Throttle) -> Self {
        Self {
            trigger: throttle.trigger.as_deref().map(str::to_owned),
            why: throttle.why.to_string(),
            ..Self::default()
        }
    }

    /// Begun, escalated, or begun again.
    pub(super) fn goes_on(&mut self, throttle: &Throttle) {
        self.events += u32::from(throttle.trigger.is_some());
        self.taken_over |= throttle.trigger.is_none();
        if self.level != "emergency" {
            self.level = throttle.level.to_string();
        }
        self.felt(throttle.seen.temperature_celsius);
    }

    pub(super) fn felt(&mut self, temperature: Option<f64>) {
        self.hottest_celsius = match (self.hottest_celsius, temperature) {
            (Some(hottest), Some(now)) => Some(hottest.max(now)),
            (hottest, now) => hottest.or(now),
        };
    }

    pub(super) fn ends(&mut self, outcome: &Outcome) {
        self.recovered = true;
        self.recovery_seconds = outcome.recovery_seconds;
        self.felt(outcome.hottest_celsius);
    }

    /// In words, with how it ended.
    pub(super) fn sentence(&self, end: &str) -> String {
        let mut text = self.level.clone();
        match &self.trigger {
            Some(trigger) => text = format!("{text} by {trigger} ({})", self.why),
            None => text.push_str(", begun by a guard before"),
        }
        if self.events > 1 {
            text = format!("{text}, begun or raised {} times", self.events);
        }
        if let Some(hottest) = self.hottest_celsius {
            text = format!("{text}, hottest {hottest:.0} °C");
        }
        format!("{text}: {end}")
    }
}

pub(super) fn rfc3339<S: Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_millis(UNIX_EPOCH + *at))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn name<S: Serializer>(weight: &Weight, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(weight.name())
}
