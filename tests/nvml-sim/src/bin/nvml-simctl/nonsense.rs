//! What cards tell of themselves, and in which order they are counted.

use anyhow::{bail, ensure};
use nvidia_ml::layout::{Bench, Card, MAX_GPUS, Text};
use serde_json::{Value, json};
use thermal_guard::sim::faults::{Given, StuckEvents, Told};
use thermal_guard::units::Watts;

use crate::misbehave::finite;
use crate::{Which, answers, commands};

/// A fact to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    Given(fn(&mut Told) -> &mut Given, Given),
    /// The limit really on the card, wherever its range is.
    Limit(u32),
    HotSpot(f64),
    IsReal(bool),
    /// The profile's own, all of them.
    None,
}

const FACTS: &str = "min_w, max_w, default_w, limit_w, slowdown, shutdown, max_operating, mem_max, \
                     acoustic_target, tlimit_slowdown, tlimit_shutdown, tlimit_gpu_max, \
                     tlimit_mem_max, hot_spot, margin, thresholds, clock_lists, max_clock, real, none";

/// `slowdown=95`, `min_w=100`, `margin=off`, `shutdown=own`, `none`
pub(crate) fn fact(text: &str) -> Result<Fact, String> {
    if text == "none" {
        return Ok(Fact::None);
    }
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("NAME=VALUE is wanted; there are {FACTS}"))?;
    match name {
        "limit_w" => return milliwatts(value).map(Fact::Limit),
        "hot_spot" => return finite(value).map(Fact::HotSpot),
        "real" => return switch(value).map(Fact::IsReal),
        _ => {}
    }
    let (field, kind) = field(name).ok_or_else(|| format!("there are {FACTS}"))?;
    let given = match (value, kind) {
        ("own", _) => Given::NONE,
        (_, Kind::Watts) => i64::from(milliwatts(value)?).into(),
        (_, Kind::Degrees) => answers::number(value)?.into(),
        (_, Kind::Switch) => switch(value)?.into(),
    };
    Ok(Fact::Given(field, given))
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Watts,
    Degrees,
    Switch,
}

type Field = fn(&mut Told) -> &mut Given;

fn field(name: &str) -> Option<(Field, Kind)> {
    use Kind::{Degrees, Switch, Watts};

    let (field, kind): (Field, Kind) = match name {
        "min_w" => (|told| &mut told.min_limit, Watts),
        "max_w" => (|told| &mut told.max_limit, Watts),
        "default_w" => (|told| &mut told.default_limit, Watts),
        "slowdown" => (|told| &mut told.slowdown, Degrees),
        "shutdown" => (|told| &mut told.shutdown, Degrees),
        "max_operating" => (|told| &mut told.max_operating, Degrees),
        "mem_max" => (|told| &mut told.mem_max, Degrees),
        "acoustic_target" => (|told| &mut told.acoustic_target, Degrees),
        "tlimit_slowdown" => (|told| &mut told.tlimit_slowdown, Degrees),
        "tlimit_shutdown" => (|told| &mut told.tlimit_shutdown, Degrees),
        "tlimit_gpu_max" => (|told| &mut told.tlimit_gpu_max, Degrees),
        "tlimit_mem_max" => (|told| &mut told.tlimit_mem_max, Degrees),
        "margin" => (|told| &mut told.has_margin, Switch),
        "thresholds" => (|told| &mut told.has_thresholds, Switch),
        "clock_lists" => (|told| &mut told.has_clock_lists, Switch),
        "max_clock" => (|told| &mut told.has_max_clock, Switch),
        _ => return None,
    };
    Some((field, kind))
}

fn milliwatts(text: &str) -> Result<u32, String> {
    finite(text).map(|watts| Watts::from_f64(watts).milliwatts())
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

pub(crate) fn tell(bench: &mut Bench, which: Which, facts: &[Fact]) -> anyhow::Result<()> {
    commands::each(bench, which, |card| {
        let told = &mut card.faults.told;
        for fact in facts {
            match *fact {
                Fact::Given(field, given) => *field(told) = given,
                Fact::Limit(milliwatts) => card.limit = milliwatts,
                Fact::HotSpot(degrees) => told.hot_spot = degrees,
                Fact::IsReal(is_real) => told.is_real = is_real.into(),
                Fact::None => *told = Told::NOTHING,
            }
        }
        Ok(())
    })
}

/// `uuid=GPU-…`
pub(crate) fn uuid(text: &str) -> Result<Text<48>, String> {
    let uuid = text.strip_prefix("uuid=").ok_or("uuid=TEXT is wanted")?;
    if uuid.len() >= 48 {
        return Err("at most 47 bytes".to_owned());
    }
    Ok(Text::new(uuid))
}

/// Cards in the order of their index; a card left out is gone. `all` is as they were made.
pub(crate) fn order(bench: &mut Bench, places: &[String]) -> anyhow::Result<()> {
    let count = bench.cards().len();
    let places: Vec<usize> = match places {
        [all] if all == "all" => (0..count).collect(),
        [none] if none == "none" => Vec::new(),
        places => places
            .iter()
            .map(|place| place.parse())
            .collect::<Result<_, _>>()?,
    };
    ensure!(
        places.len() <= MAX_GPUS,
        "at most {MAX_GPUS} can be counted"
    );
    if let Some(place) = places.iter().find(|place| **place >= count) {
        bail!("no GPU {place}");
    }
    bench.order_count = places.len() as u64;
    for (to, place) in bench.order.iter_mut().zip(places) {
        *to = u32::try_from(place)?;
    }
    Ok(())
}

/// `force=0x40`, `mask=0x20`, `none`
pub(crate) fn stuck(text: &str) -> Result<Stuck, String> {
    let bits = |text| answers::number(text).map(i64::cast_unsigned);
    match text.split_once('=') {
        None if text == "none" => Ok(Stuck::None),
        Some(("force", mask)) => bits(mask).map(Stuck::On),
        Some(("mask", mask)) => bits(mask).map(Stuck::Off),
        _ => Err("there are force=BITS, mask=BITS, none".to_owned()),
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Stuck {
    On(u64),
    Off(u64),
    None,
}

pub(crate) fn stick(bench: &mut Bench, which: Which, stuck: &[Stuck]) -> anyhow::Result<()> {
    commands::each(bench, which, |card| {
        for stuck in stuck {
            let events = &mut card.faults.events;
            match *stuck {
                Stuck::On(bits) => events.on = bits,
                Stuck::Off(bits) => events.off = bits,
                Stuck::None => *events = StuckEvents::NONE,
            }
        }
        Ok(())
    })
}

/// What is told instead of the profile's numbers, in NVML's units; null is the profile's.
pub(crate) fn json(card: &Card) -> Value {
    let told = &card.faults.told;
    json!({
        "min_limit": told.min_limit.number(),
        "max_limit": told.max_limit.number(),
        "default_limit": told.default_limit.number(),
        "slowdown": told.slowdown.number(),
        "shutdown": told.shutdown.number(),
        "max_operating": told.max_operating.number(),
        "mem_max": told.mem_max.number(),
        "acoustic_target": told.acoustic_target.number(),
        "tlimit_slowdown": told.tlimit_slowdown.number(),
        "tlimit_shutdown": told.tlimit_shutdown.number(),
        "tlimit_gpu_max": told.tlimit_gpu_max.number(),
        "tlimit_mem_max": told.tlimit_mem_max.number(),
        "margin": told.has_margin.number(),
        "thresholds": told.has_thresholds.number(),
        "clock_lists": told.has_clock_lists.number(),
        "max_clock": told.has_max_clock.number(),
        "hot_spot": told.hot_spot,
        "real": told.is_real != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_in_the_units_people_have() {
        let given = |text| match fact(text) {
            Ok(Fact::Given(_, given)) => given.number(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(given("min_w=100.5"), Some(100_500));
        assert_eq!(given("slowdown=4294967295"), Some(4_294_967_295));
        assert_eq!(given("tlimit_slowdown=-2"), Some(-2));
        assert_eq!(given("margin=off"), Some(0));
        assert_eq!(given("shutdown=own"), None);
        for text in ["slowdown", "margin=1", "colour=4", "min_w=x"] {
            assert!(fact(text).is_err(), "{text}");
        }
    }
}
