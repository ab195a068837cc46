//! An event in words, for people: without its time, which every view shows in its own way.

use std::fmt;

use super::event::{Event, LeaseTurn, Outcome, Seen, Throttle, What, trouble};

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    Info,
    Warn,
    Error,
}

impl Weight {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Event {
    pub fn weight(&self) -> Weight {
        match &self.what {
            What::Escalated(_) | What::Blinded(_) | What::Xid { .. } => Weight::Error,
            What::Throttled(throttle) if throttle.level == "emergency" => Weight::Error,
            What::TroubleBegan { trouble, .. } => match &**trouble {
                trouble::OVERHELD | trouble::DOUBT | trouble::SENSOR | trouble::KNOB => {
                    Weight::Warn
                }
                _ => Weight::Error,
            },
            What::Chain { to, .. } if to == "stale" || to == "down" => Weight::Warn,
            What::Throttled(_)
            | What::Paused { .. }
            | What::Detached
            | What::Left { capped: true }
            | What::Restored { kept: true, .. }
            | What::Stopped { refused: true, .. }
            | What::StartRefused { .. }
            | What::Reloaded { ok: false }
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
            Self::Reloaded { ok: true } => f.write_str("configuration reloaded"),
            Self::Reloaded { ok: false } => {
                f.write_str("configuration refused: the old one stays in force")
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
        f.write_str(&self.level)?;
        match &self.trigger {
            Some(trigger) => write!(f, " by {trigger}, {}", self.why)?,
            None => write!(f, ", {}", self.why)?,
        }
        write!(f, "{}", self.seen)
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
        match self.hottest_celsius {
            Some(hottest) => write!(f, ", hottest {hottest:.0} °C"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LeaseTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, level, turn) = (&self.source, &self.level, &self.turn);
        write!(f, "{source} lease ({level}) {turn}")?;
        match &self.fingerprint {
            Some(fingerprint) => write!(f, ", alert {fingerprint}"),
            None => Ok(()),
        }
    }
}

fn said(name: &str, detail: Option<&str>) -> String {
    let what = match name {
        trouble::INFEASIBLE => "not even the coldest rung holds it",
        trouble::CONTESTED => "somebody else keeps raising the limit",
        trouble::OVERHELD => {
            "leases, of alerts or manual ones, have held it too long and are not obeyed"
        }
        trouble::DOUBT => "a sensor isn't believed",
        trouble::UNGUARDED => "unguarded, nothing can be done for it",
        trouble::SENSOR => "a sensor fails or isn't believed",
        trouble::KNOB => "a knob is out of the plan",
        trouble::ACTION => "writing to it fails",
        trouble::JOURNAL => "the journal can't be written",
        trouble::GPU_LOST => "the GPU doesn't answer",
        trouble::HUNG => "it hangs inside the driver",
        trouble::DRIVER_GONE => "no NVIDIA driver",
        other => other,
    };
    match detail {
        Some(detail) => format!("{what} ({detail})"),
        None => what.to_owned(),
    }
}

/// Whole seconds: `1m 5s`.
pub fn span(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds.round()).unwrap_or_default();
    humantime::format_duration(whole).to_string()
}
