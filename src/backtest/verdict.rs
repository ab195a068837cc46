//! What a backtest means for an operator, in words.

use serde::Serialize;

use super::card::Card;
use super::heat::{Heat, OwnSlowdown};
use super::whatif::WhatIf;

/// The verdict on one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing that can be judged was exported, or a guard was what kept it under alert.
    CantTell,
    /// It never got hot.
    NotNeeded,
    /// It got over alert at times, and the guard would hold it under.
    HoldsUnderAlert,
    /// It slowed itself down; the guard would keep more of the work.
    KeepsWork,
    /// It slowed itself down; the guard would cost about as much, and hold it cooler.
    SameWorkCooler,
    /// Not even the guard's lowest limit would have held it: the cooling is at fault.
    LookAtCooling,
    /// It got hot, and there is no fit to say more.
    HotWithoutFit,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Self::CantTell => "can't tell",
            Self::NotNeeded => "not needed",
            Self::HoldsUnderAlert => "holds it under alert",
            Self::KeepsWork => "keeps work",
            Self::SameWorkCooler => "same work, cooler",
            Self::LookAtCooling => "look at the cooling",
            Self::HotWithoutFit => "hot; no fit",
        }
    }

    /// The guard would hold it cooler, for some of its work.
    pub const fn is_cooler(self) -> bool {
        matches!(self, Self::HoldsUnderAlert | Self::SameWorkCooler)
    }
}

/// Over alert for this share of the time under the guard: power isn't the remedy.
const HOPELESS: f64 = 0.05;
/// Losses nearer than this, as a share of the busy time, are alike: the bounds aren't sharper.
const ALIKE: f64 = 0.002;

pub(super) fn verdict(
    heat: Option<&Heat>,
    own: Option<&OwnSlowdown>,
    what_if: Option<&WhatIf>,
    kept_under: bool,
) -> Verdict {
    let Some(heat) = heat.filter(|heat| heat.seen_seconds > 0.0) else {
        return Verdict::CantTell;
    };
    if kept_under {
        return Verdict::CantTell;
    }
    let slowed = own.map_or(0.0, |own| own.seconds);
    let Some(what_if) = what_if else {
        return Verdict::HotWithoutFit;
    };
    if what_if.interventions < 0.5 && slowed < 1.0 && heat.over_critical_seconds <= 0.0 {
        return Verdict::NotNeeded;
    }
    let throttled = what_if.throttled_seconds.max(1.0);
    if what_if.over_alert_seconds > throttled * HOPELESS && what_if.over_alert_seconds > 300.0 {
        return Verdict::LookAtCooling;
    }
    if slowed < 1.0 {
        return Verdict::HoldsUnderAlert;
    }
    let busy = heat.busy_seconds.max(1.0);
    let kept = what_if.own_lost_seconds - what_if.lost_seconds;
    if kept > busy * ALIKE {
        Verdict::KeepsWork
    } else {
        Verdict::SameWorkCooler
    }
}

/// A guard throttled it, and it never got over alert: how hot it would have been without isn't known.
/// One that only observes counts, too; so this says nothing of what was on the card.
pub(super) fn is_kept_under(heat: &Heat, card: &Card, guarded_seconds: Option<f64>) -> bool {
    guarded_seconds.is_some_and(|it| it >= 1.0) && !is_over(heat, card)
}

/// By whole degrees, as people read them.
fn is_over(heat: &Heat, card: &Card) -> bool {
    heat.hottest_celsius.round() > card.alert_celsius.round()
}

/// The verdict in a sentence or two.
pub(super) fn words(
    verdict: Verdict,
    card: &Card,
    heat: Option<&Heat>,
    own: Option<&OwnSlowdown>,
    what_if: Option<&WhatIf>,
) -> String {
    let Some(heat) = heat else {
        return "No temperature was exported in this period.".to_owned();
    };
    let hottest = heat.hottest_celsius;
    let alert = card.alert_celsius;
    let unseen = if own.is_none() {
        " Whether it slowed itself down isn't exported."
    } else {
        ""
    };
    let clock = if own.is_some() {
        ", and no slowdown was seen"
    } else {
        ""
    };
    let busy = heat.busy_seconds.max(1.0);
    let lost = what_if.map_or(0.0, |it| percent(it.lost_seconds, busy));
    let own_lost = what_if.map_or(0.0, |it| percent(it.own_lost_seconds, busy));
    let slowed = own.map_or(0.0, |own| own.seconds);
    let over = is_over(heat, card);
    match verdict {
        Verdict::CantTell if heat.seen_seconds <= 0.0 => {
            "No temperature was exported in this period.".to_owned()
        }
        Verdict::CantTell => format!(
            "Its hottest scrape was {hottest:.0} °C, {}, and a guard throttled it meanwhile: how hot it would have been without can't be told from this history.",
            below(alert - hottest)
        ),
        Verdict::NotNeeded => format!(
            "You don't need this: its hottest scrape was {hottest:.0} °C, {}.{unseen}",
            below(alert - hottest)
        ),
        Verdict::HoldsUnderAlert if !over => format!(
            "It reached {hottest:.0} °C{clock}: {}. The guard acts there already, for at most {lost:.1} % of its work. If {hottest:.0} °C is fine for you, you don't need this.{unseen}",
            near(alert - hottest)
        ),
        Verdict::HoldsUnderAlert => format!(
            "It reached {hottest:.0} °C{clock}. The guard would have held it at {alert:.0} °C, for at most {lost:.1} % of its work. If {hottest:.0} °C is fine for you, you don't need this.{unseen}"
        ),
        Verdict::KeepsWork => format!(
            "It slowed itself down for {}, which cost up to {own_lost:.1} % of its work; the guard would have cost up to {lost:.1} %{}.",
            span(slowed),
            if over {
                format!(" and held it at {alert:.0} °C")
            } else {
                String::new()
            }
        ),
        Verdict::SameWorkCooler => format!(
            "It slowed itself down for {}, up to {own_lost:.1} % of its work. The guard would have cost up to {lost:.1} %{}.",
            span(slowed),
            if over {
                format!(", and held it at {alert:.0} instead of {hottest:.0} °C")
            } else {
                format!("; it was never over its alert of {alert:.0} °C")
            }
        ),
        Verdict::LookAtCooling => format!(
            "Even with the guard it would have been over {alert:.0} °C for {}: look at its cooling first.",
            span(what_if.map_or(0.0, |it| it.over_alert_seconds))
        ),
        Verdict::HotWithoutFit => format!(
            "It reached {hottest:.0} °C, over or near its alert of {alert:.0} °C, but its power and temperature don't allow a fit, so what the guard would have done isn't known.{unseen}"
        ),
    }
}

/// It got no further than alert.
fn near(degrees: f64) -> String {
    if degrees >= 0.5 {
        format!("{degrees:.0} °C under its alert")
    } else {
        "at its alert".to_owned()
    }
}

fn below(degrees: f64) -> String {
    if degrees >= 0.5 {
        format!("{degrees:.0} °C under its alert")
    } else {
        "at its alert, and it would have gone no further".to_owned()
    }
}

pub fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        part / whole * 100.0
    } else {
        0.0
    }
}

/// A length of time for people: `45s`, `12m`, `3.5h`, `2.1d`.
pub fn span(seconds: f64) -> String {
    match seconds {
        _ if seconds < 99.5 => format!("{seconds:.0}s"),
        _ if seconds < 5940.0 => format!("{:.0}m", seconds / 60.0),
        _ if seconds < 172_800.0 => format!("{:.1}h", seconds / 3600.0),
        _ => format!("{:.1}d", seconds / 86_400.0),
    }
}
