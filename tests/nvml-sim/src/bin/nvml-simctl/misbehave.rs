//! Setters and sensors that do something else than they say.

use std::str::FromStr;

use clap::ValueEnum;
use nvidia_ml::layout::{Bench, Card};
use serde_json::{Value, json};
use thermal_guard::sim::faults::{CardFaults, Sensor, Setter};

use crate::{Which, commands};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SetterName {
    PowerLimit,
    GpuClock,
    MemoryClock,
}

impl SetterName {
    fn of(self, faults: &mut CardFaults) -> &mut Setter {
        match self {
            Self::PowerLimit => &mut faults.power_limit,
            Self::GpuClock => &mut faults.gpu_clock,
            Self::MemoryClock => &mut faults.memory_clock,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SensorName {
    Core,
    Memory,
    Margin,
    Draw,
}

impl SensorName {
    fn of(self, faults: &mut CardFaults) -> &mut Sensor {
        match self {
            Self::Core => &mut faults.core,
            Self::Memory => &mut faults.memory,
            Self::Margin => &mut faults.margin,
            Self::Draw => &mut faults.draw,
        }
    }
}

/// `quantise=5000,offset=1`, `refuse=4:0:200000`, `none`
pub(crate) fn setter(text: &str) -> Result<Setter, String> {
    let mut setter = Setter::NONE;
    for part in text.split(',') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name {
            "quantise" => setter.step = parse(value)?,
            "offset" => setter.offset = parse(value)?,
            "clamp" => {
                let [low, high] = several(value)?;
                (setter.low, setter.high) = (low, high);
            }
            "refuse" if value.contains(':') => {
                let [code, from, to] = several(value)?;
                setter.refuse = code;
                (setter.refuse_from, setter.refuse_to) = (from, to);
            }
            "refuse" => setter.refuse = parse(value)?,
            "ignore" => setter.ignore = 1,
            "forget" => setter.forget_seconds = positive(value)?,
            "none" => setter = Setter::NONE,
            _ => {
                return Err(
                    "there are quantise=STEP, offset=N, clamp=LOW:HIGH, refuse=CODE[:FROM:TO], \
                     ignore, forget=SECONDS, none"
                        .to_owned(),
                );
            }
        }
    }
    Ok(setter)
}

/// `cache=10`, `lag=15,offset=-20`, `none`
pub(crate) fn sensor(text: &str) -> Result<Sensor, String> {
    let mut sensor = Sensor::NONE;
    for part in text.split(',') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name {
            "cache" => sensor.cache_seconds = positive(value)?,
            "lag" => sensor.lag_seconds = positive(value)?,
            "offset" => sensor.offset = finite(value)?,
            "noise" => sensor.noise = positive(value)?,
            "freeze" => sensor.freeze = 1,
            "none" => sensor = Sensor::NONE,
            _ => {
                return Err(
                    "there are cache=SECONDS, lag=SECONDS, offset=N, noise=N, freeze, none"
                        .to_owned(),
                );
            }
        }
    }
    Ok(sensor)
}

fn parse<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no number that fits"))
}

fn several<const N: usize>(text: &str) -> Result<[u32; N], String> {
    let numbers: Vec<u32> = text.split(':').map(parse).collect::<Result<_, _>>()?;
    let wrong = |_| format!("{N} numbers are wanted, with colons between");
    numbers.try_into().map_err(wrong)
}

pub(crate) fn finite(text: &str) -> Result<f64, String> {
    let number: f64 = parse(text)?;
    number
        .is_finite()
        .then_some(number)
        .ok_or_else(|| "out of range".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    let number = finite(text)?;
    (number >= 0.0)
        .then_some(number)
        .ok_or_else(|| "out of range".to_owned())
}

pub(crate) fn set_setter(
    bench: &mut Bench,
    which: Which,
    name: SetterName,
    setter: Setter,
) -> anyhow::Result<()> {
    commands::each(bench, which, |card| {
        *name.of(&mut card.faults) = setter;
        Ok(())
    })
}

pub(crate) fn set_sensor(
    bench: &mut Bench,
    which: Which,
    name: SensorName,
    sensor: Sensor,
) -> anyhow::Result<()> {
    let now = bench.elapsed;
    commands::each(bench, which, |card| {
        // One that freezes does so at what it feels now, not when somebody last asked.
        card.feel(now, 0.0);
        *name.of(&mut card.faults) = sensor;
        card.feel(now, 0.0);
        Ok(())
    })
}

pub(crate) fn setters(card: &Card) -> Value {
    let faults = &card.faults;
    let one = |setter: &Setter| {
        json!({
            "quantise": setter.step,
            "offset": setter.offset,
            "clamp": [setter.low, setter.high],
            "refuse": setter.refuse,
            "refuse_within": [setter.refuse_from, setter.refuse_to],
            "ignore": setter.ignore != 0,
            "forget_seconds": setter.forget_seconds,
        })
    };
    json!({
        "power_limit": one(&faults.power_limit),
        "gpu_clock": one(&faults.gpu_clock),
        "memory_clock": one(&faults.memory_clock),
    })
}

pub(crate) fn sensors(card: &Card) -> Value {
    let faults = &card.faults;
    let one = |sensor: &Sensor| {
        json!({
            "cache_seconds": sensor.cache_seconds,
            "lag_seconds": sensor.lag_seconds,
            "offset": sensor.offset,
            "noise": sensor.noise,
            "freeze": sensor.freeze != 0,
        })
    };
    json!({
        "core": one(&faults.core),
        "memory": one(&faults.memory),
        "margin": one(&faults.margin),
        "draw": one(&faults.draw),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_compose_and_what_is_left_out_is_well() {
        let expected = Setter {
            high: 300_000,
            low: 200_000,
            ..Setter::quantise(5_000, 1)
        };
        let read = setter("quantise=5000,offset=1,clamp=200000:300000");
        assert_eq!(read, Ok(expected));
        assert_eq!(setter("refuse=4:0:99"), Ok(Setter::refuse_within(4, 0, 99)));
        assert_eq!(setter("ignore,none"), Ok(Setter::NONE));
        let late = Sensor {
            offset: -20.0,
            ..Sensor::lag(15.0)
        };
        assert_eq!(sensor("lag=15,offset=-20"), Ok(late));
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        for text in [
            "",
            "quantise",
            "clamp=1",
            "refuse=1:2",
            "forget=-1",
            "ignored",
        ] {
            assert!(setter(text).is_err(), "{text}");
        }
        for text in ["", "cache=x", "lag=-1", "noise=nan", "frozen"] {
            assert!(sensor(text).is_err(), "{text}");
        }
    }
}
