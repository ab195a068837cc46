//! Fans: what is wrong with them, how they are built, and what another program sets them to.

use nvidia_ml::layout::{Bench, Card};
use serde_json::{Value, json};
use thermal_guard::sim::fans::{Fans, HIGHEST, Rise};

use crate::{Which, commands};

/// One change of all fans of a card.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Stuck(u32),
    Inverted,
    Stopped,
    NoFault,
    Top(u32),
    Cools,
    Set(Option<u32>),
}

/// `stuck=53`, `set=auto`, `none`
pub(crate) fn change(text: &str) -> Result<Change, String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Ok(match name {
        "stuck" => Change::Stuck(percent(value)?),
        "inverted" => Change::Inverted,
        "stopped" => Change::Stopped,
        "none" => Change::NoFault,
        "top" => Change::Top(percent(value)?),
        "cools" => Change::Cools,
        "set" if value == "auto" => Change::Set(None),
        "set" => Change::Set(Some(percent(value)?)),
        _ => {
            return Err(
                "there are stuck=PERCENT, inverted, stopped, none, top=PERCENT, cools, \
                 set=PERCENT, set=auto"
                    .to_owned(),
            );
        }
    })
}

fn percent(text: &str) -> Result<u32, String> {
    let percent = text.parse().ok().filter(|percent| *percent <= HIGHEST);
    percent.ok_or_else(|| format!("{text:?} is no percentage"))
}

pub(crate) fn apply(bench: &mut Bench, which: Which, changes: &[Change]) -> anyhow::Result<()> {
    commands::each(bench, which, |card| {
        let fans = card.profile().fans as usize;
        for change in changes {
            one(&mut card.fans, fans, *change);
        }
        Ok(())
    })
}

fn one(fans: &mut Fans, count: usize, change: Change) {
    match change {
        Change::Stuck(percent) => fans.set_stuck(Some(percent)),
        Change::Inverted => fans.inverted = 1,
        Change::Stopped => fans.stopped = 1,
        Change::NoFault => {
            fans.set_stuck(None);
            (fans.inverted, fans.stopped) = (0, 0);
        }
        Change::Top(percent) => fans.top = percent,
        Change::Cools => fans.cools = 1,
        Change::Set(percent) => (0..count).for_each(|fan| fans.set(fan, percent)),
    }
}

/// The truth about them.
pub(crate) fn json(card: &Card) -> Value {
    let (profile, fans, die) = (card.profile(), &card.fans, card.state.core());
    let rise = Rise::of(profile);
    let each = (0..profile.fans as usize).map(|fan| {
        json!({
            "manual_percent": fans.manual(fan),
            "percent": fans.speed(fan, die, rise),
            "rpm": fans.rpm(fan, die, rise),
        })
    });
    json!({
        "each": each.collect::<Vec<_>>(),
        "top_percent": fans.top,
        "cools": fans.cools != 0,
        "stuck_percent": fans.stuck(),
        "inverted": fans.inverted != 0,
        "stopped": fans.stopped != 0,
    })
}
