//! One incident, from its beginning to its end.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::events::{Cost, GpuName, Outcome, Throttle, Weight, Why, Word, reason, who};
use crate::policy::Trigger;

use super::format::{rfc3339, some_tenths};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Incident {
    #[serde(serialize_with = "rfc3339")]
    pub(crate) began: Duration,
    /// Its duration, if it has one; the duration so far while it is ongoing.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "some_tenths"
    )]
    pub(crate) seconds: Option<f64>,
    pub(crate) ongoing: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) gpu: Option<GpuName>,
    /// `throttle`, a trouble's name, `chain`, `xid`, `guard`, …
    pub(crate) kind: String,
    #[serde(serialize_with = "name")]
    pub(crate) weight: Weight,
    /// For people.
    pub(crate) what: String,
    /// Of a slowdown by the card itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hottest_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throttle: Option<Course>,
}

/// How a throttle went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Course {
    /// The highest.
    pub(crate) level: String,
    /// The first cause; `None`: unknown, an earlier guard began it.
    pub(crate) trigger: Option<Word<Trigger>>,
    pub(crate) why: Word<Why>,
    /// Number of throttle events: begun, escalated, begun again before everything was restored.
    pub(crate) events: u32,
    /// A guard died during it, and the next one took it over.
    pub(crate) taken_over: bool,
    pub(crate) recovered: bool,
    pub(crate) recovery_seconds: f64,
    pub(crate) hottest_celsius: Option<f64>,
    #[serde(flatten)]
    pub(crate) cost: Cost,
}

impl Incident {
    pub(crate) fn at(time: Duration, gpu: Option<GpuName>, kind: &str, what: String) -> Self {
        Self {
            began: time,
            seconds: None,
            ongoing: false,
            gpu,
            kind: kind.to_owned(),
            weight: Weight::Warn,
            what,
            hottest_celsius: None,
            throttle: None,
        }
    }

    pub(crate) fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// The end, or the time of the report if it is ongoing.
    pub(crate) fn end(&self) -> Duration {
        let lasted = Duration::try_from_secs_f64(self.seconds.unwrap_or(0.0));
        self.began.saturating_add(lasted.unwrap_or_default())
    }
}

impl Course {
    pub(crate) fn begun(throttle: &Throttle) -> Self {
        Self {
            trigger: throttle.trigger.clone(),
            why: throttle.why.clone(),
            ..Self::default()
        }
    }

    /// Begun, escalated, or begun again.
    pub(crate) fn goes_on(&mut self, throttle: &Throttle) {
        self.events += u32::from(throttle.trigger.is_some());
        self.taken_over |= throttle.trigger.is_none();
        if self.level != "emergency" {
            self.level = throttle.level.to_string();
        }
        self.felt(throttle.seen.temperature_celsius);
    }

    pub(crate) fn felt(&mut self, temperature: Option<f64>) {
        self.hottest_celsius = match (self.hottest_celsius, temperature) {
            (Some(hottest), Some(now)) => Some(hottest.max(now)),
            (hottest, now) => hottest.or(now),
        };
    }

    pub(crate) fn ends(&mut self, outcome: &Outcome) {
        self.recovered = true;
        self.recovery_seconds = outcome.recovery_seconds;
        self.cost = outcome.cost;
        self.felt(outcome.hottest_celsius);
    }

    /// The guard measures all along, and tells the highest once all is given back. Until then, and of the
    /// time of a guard that died, the temperatures at events are known only.
    pub(crate) fn tells_hottest(&self) -> bool {
        self.recovered && !self.taken_over
    }

    /// As a sentence, with its end.
    pub(crate) fn sentence(&self, end: &str) -> String {
        let mut text = self.level.clone();
        match &self.trigger {
            Some(trigger) => text = format!("{text} by {}{}", who(trigger), reason(&self.why)),
            None => text.push_str(", begun by a guard before"),
        }
        if self.events > 1 {
            text = format!("{text}, begun or raised {} times", self.events);
        }
        if let Some(hottest) = self.hottest_celsius {
            let least = if self.tells_hottest() {
                ""
            } else {
                "at least "
            };
            text = format!("{text}, hottest {least}{hottest:.0} °C");
        }
        format!("{text}: {end}{}", self.cost)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn name<S: Serializer>(weight: &Weight, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(weight.name())
}
