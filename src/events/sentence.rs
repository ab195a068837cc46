//! The text of an event, for people. It lacks the time, which every view shows in its own way.

use std::fmt;

use crate::config::Weight;
use crate::policy::{ChainState, Level, Trigger};

use super::event::{Cost, Event, LeaseTurn, Outcome, Seen, SlowedItself, Throttle, What};
use super::trouble::Trouble;
use super::word::{Why, Word};

impl Event {
    pub fn weight(&self) -> Weight {
        match &self.what {
            What::Throttled(throttle) if throttle.level == Level::Emergency => Weight::Error,
            What::TroubleBegan {
                trouble: Word::Known(trouble),
                ..
            } => trouble.weight(),
            What::TroubleBegan { .. }
            | What::Escalated(_)
            | What::Blinded(_)
            | What::Xid { .. } => Weight::Error,
            What::Chain {
                to: Word::Known(ChainState::Stale | ChainState::Down),
                ..
            }
            | What::Throttled(_)
            | What::SlowedItself(_)
            | What::Paused { .. }
            | What::Detached
            | What::Left { capped: true }
            | What::Restored { kept: true, .. }
            | What::Stopped { refused: true, .. }
            | What::StartRefused { .. }
            | What::Reloaded { ok: false, .. }
            | What::Unrecorded { .. } => Weight::Warn,
            _ => Weight::Info,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.gpu {
            write!(f, "GPU {}: ", name.gpu)?;
        }
        self.what.fmt(f)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started {
                version,
                mode,
                simulated,
                ..
            } => {
                let simulated = if *simulated { ", simulated" } else { "" };
                write!(f, "guard {version} started, mode {mode}{simulated}")
            }
            Self::Stopped { refused: false, .. } => f.write_str("guard stopped"),
            Self::Stopped { refused: true, .. } => {
                f.write_str("guard refused: another one has a GPU that it wanted")
            }
            Self::StartRefused { detail } => write!(f, "start refused: {detail}"),
            Self::Throttled(throttle) => write!(f, "throttled to {throttle}"),
            Self::Escalated(throttle) => write!(f, "escalated to {throttle}"),
            Self::Blinded(throttle) => write!(f, "no trustworthy temperature, capped: {throttle}"),
            Self::Eased(seen) => write!(f, "emergency over{seen}"),
            Self::Recovering(seen) => write!(f, "giving back{seen}"),
            Self::Recovered(outcome) => write!(f, "recovered {outcome}"),
            Self::SlowedItself(slowdown) => write!(f, "{slowdown}"),
            Self::SlowedItselfEnded(outcome) => {
                write!(f, "no longer slows itself down, {outcome}")
            }
            Self::Left { capped: false } => f.write_str("given back on leaving"),
            Self::Left { capped: true } => f.write_str("left capped"),
            Self::Restored { detail, .. } => write!(f, "`restore`: {detail}"),
            Self::TroubleBegan { trouble, detail } => {
                write!(f, "{}", said(trouble, detail.as_deref()))
            }
            Self::TroubleEnded {
                trouble,
                detail,
                seconds,
            } => {
                let said = said(trouble, detail.as_deref());
                write!(f, "over after {}: {said}", span(*seconds))
            }
            Self::Lease(lease) => write!(f, "{lease}"),
            Self::Chain { from, to } => write!(f, "alert chain {to}, before {from}"),
            Self::Paused { for_seconds } => {
                write!(f, "paused for {}: only critical acts", span(*for_seconds))
            }
            Self::Resumed => f.write_str("pause over"),
            Self::Detached => f.write_str("detached: no GPU is protected"),
            Self::Attached => f.write_str("attached again"),
            Self::Reloaded { ok: true, .. } => f.write_str("configuration reloaded"),
            Self::Reloaded { ok: false, detail } => {
                f.write_str("configuration refused: the old one stays in force")?;
                detail.iter().try_for_each(|why| write!(f, "; {why}"))
            }
            Self::Xid { xid, count: 1 } => write!(f, "Xid {xid}"),
            Self::Xid { xid, count } => write!(f, "Xid {xid}, {count} times"),
            Self::Unrecorded { count } => write!(f, "{count} events weren't recorded"),
            Self::Unknown => f.write_str("something that only a newer version knows"),
        }
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        match &self.trigger {
            Some(trigger) => write!(f, " by {}{}", who(trigger), reason(&self.why))?,
            None => write!(f, "{}", reason(&self.why))?,
        }
        write!(f, "{}", self.seen)
    }
}

/// Who caused a throttle.
pub fn who(trigger: &Word<Trigger>) -> &str {
    match trigger {
        Word::Known(Trigger::Alert) => "an alert",
        Word::Known(Trigger::Local) => "the guard itself",
        Word::Known(Trigger::Fallback) => "the guard itself without its alert chain",
        Word::Known(Trigger::Manual) => "an operator",
        Word::Newer(word) => word,
    }
}

/// Why, after who it was. Of a lease, that says it all.
pub fn reason(why: &Word<Why>) -> String {
    match why {
        Word::Known(Why::Lease) => String::new(),
        Word::Known(Why::FoundSo) => " (left so by the guard before)".to_owned(),
        Word::Known(Why::Alert) => " (at alert)".to_owned(),
        Word::Known(Why::Critical) => " (at critical)".to_owned(),
        Word::Known(Why::SetPoint | Why::NoReading) | Word::Newer(_) => format!(" ({why})"),
    }
}

impl fmt::Display for SlowedItself {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slows itself down for heat{}", self.seen)?;
        match self.target_celsius {
            Some(target) => write!(f, ", at its own target of {target:.0} °C"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(temperature) = self.temperature_celsius {
            write!(f, " at {temperature:.0} °C")?;
        }
        match self.margin_to_alert_celsius {
            Some(margin) if margin < 0.0 => write!(f, ", {:.1} °C past alert", -margin),
            Some(margin) => write!(f, ", {margin:.1} °C under alert"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}", span(self.seconds))?;
        if let Some(hottest) = self.hottest_celsius {
            write!(f, ", hottest {hottest:.0} °C")?;
        }
        write!(f, "{}", self.cost)
    }
}

/// Nothing if nothing is known.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(most), Some(least)) = (self.work_lost_ratio, self.work_lost_least_ratio) else {
            return Ok(());
        };
        write!(f, "; it cost {} of the work; ", range(least, most))?;
        let least = self.unguarded_work_lost_least_ratio;
        let Some((least, most)) = least.zip(self.unguarded_work_lost_most_ratio) else {
            return f.write_str("the cost without the guard isn't known");
        };
        write!(f, "without the guard, it would be {}", range(least, most))?;
        match self.unguarded_hottest_celsius {
            Some(hottest) => write!(f, " at up to {hottest:.0} °C"),
            None => Ok(()),
        }
    }
}

/// `3 to 12 %`.
fn range(least: f64, most: f64) -> String {
    let (least, most) = ((least * 100.0).round(), (most * 100.0).round());
    if most < 1.0 {
        "less than 1 %".to_owned()
    } else if least < most {
        format!("{least:.0} to {most:.0} %")
    } else {
        format!("{most:.0} %")
    }
}

impl fmt::Display for LeaseTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, level, turn) = (&self.source, &self.level, &self.turn);
        write!(f, "{source} lease ({level}) {turn}")?;
        match (&self.alert, &self.fingerprint) {
            (Some(name), Some(fingerprint)) => write!(f, ", alert {name} ({fingerprint})"),
            (None, Some(fingerprint)) => write!(f, ", alert {fingerprint}"),
            (_, None) => Ok(()),
        }
    }
}

fn said(trouble: &Word<Trouble>, detail: Option<&str>) -> String {
    let words = match trouble {
        Word::Known(trouble) => trouble.words(),
        Word::Newer(name) => name,
    };
    match detail {
        Some(detail) => format!("{words} ({detail})"),
        None => words.to_owned(),
    }
}

/// Whole seconds: `1m 5s`.
pub fn span(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds.round()).unwrap_or_default();
    humantime::format_duration(whole).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_says_who_caused_it_in_words_for_people() {
        let by = |trigger: &str, why: &str| {
            let throttle = Throttle {
                level: Level::Gradual.into(),
                trigger: (!trigger.is_empty()).then(|| Word::named(trigger)),
                why: Word::named(why),
                seen: Seen {
                    temperature_celsius: Some(77.0),
                    ..Seen::default()
                },
            };
            throttle.to_string()
        };
        for (trigger, why, said) in [
            (
                "local",
                "set point",
                "gradual by the guard itself (set point) at 77 °C",
            ),
            (
                "local",
                "critical",
                "gradual by the guard itself (at critical) at 77 °C",
            ),
            (
                "fallback",
                "alert",
                "gradual by the guard itself without its alert chain (at alert) at 77 °C",
            ),
            ("alert", "lease", "gradual by an alert at 77 °C"),
            ("manual", "lease", "gradual by an operator at 77 °C"),
            (
                "",
                "found so",
                "gradual (left so by the guard before) at 77 °C",
            ),
            ("moon", "full", "gradual by moon (full) at 77 °C"),
        ] {
            assert_eq!(by(trigger, why), said);
        }
    }
}
