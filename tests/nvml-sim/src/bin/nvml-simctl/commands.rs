//! The commands that change the machine.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use nvidia_ml::fault::{Fault, Feature};
use nvidia_ml::file::StateFile;
use nvidia_ml::layout::{Bench, Card, Lock, MAX_GPUS, Text};
use nvidia_ml::{operate, physics};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::Watts;

use crate::{Create, Which};

/// A profile by its key.
pub(crate) fn profile(key: &str) -> Result<&'static Profile, String> {
    profile::named(key).ok_or_else(|| {
        let known: Vec<_> = profile::KNOWN.iter().map(|profile| profile.key).collect();
        format!("no such card; there are {}", known.join(", "))
    })
}

pub(crate) fn create(path: &Path, create: &Create) -> anyhow::Result<()> {
    let mut bench = operate::machine(&create.gpus, create.inlet, &create.driver)
        .with_context(|| format!("at most {MAX_GPUS} cards fit"))?;
    time_scale(&mut bench, create.time_scale)?;
    bench.shared_air = create.shared_air;
    for (index, card) in bench.cards_mut().iter_mut().enumerate() {
        card.uuid = Text::new(&operate::uuid(create.node, index));
    }
    StateFile::create(path, bench).with_context(|| path.display().to_string())?;
    for card in bench.cards() {
        println!("{}", card.uuid.as_str());
    }
    Ok(())
}

/// Something to set, and to what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assignment {
    quantity: fn(&mut Card) -> &mut f64,
    value: f64,
}

/// `inlet=40`
pub(crate) fn assignment(text: &str) -> Result<Assignment, String> {
    let (name, value) = text.split_once('=').ok_or("NAME=NUMBER is wanted")?;
    let quantity: fn(&mut Card) -> &mut f64 = match name {
        "load" => |card| &mut card.load.power,
        "compute" => |card| &mut card.load.compute_bound,
        "inlet" => |card| &mut card.inlet,
        "airflow" => |card| &mut card.airflow_resistance,
        "hbm" => |card| &mut card.hbm_resistance,
        "memory" => |card| &mut card.memory_used,
        _ => return Err("there are load, compute, inlet, airflow, hbm, memory".to_owned()),
    };
    let value: f64 = value.parse().map_err(|_| "not a number")?;
    if !value.is_finite() || (name != "inlet" && value < 0.0) {
        return Err("out of range".to_owned());
    }
    Ok(Assignment { quantity, value })
}

pub(crate) fn set(
    bench: &mut Bench,
    which: Which,
    assignments: &[Assignment],
) -> anyhow::Result<()> {
    each(bench, which, |card| {
        for assignment in assignments {
            *(assignment.quantity)(card) = assignment.value;
        }
        Ok(())
    })
}

pub(crate) fn time_scale(bench: &mut Bench, factor: f64) -> anyhow::Result<()> {
    ensure!(
        factor.is_finite() && factor >= 0.0,
        "a time scale is a number from 0 on"
    );
    bench.time_scale = factor;
    Ok(())
}

pub(crate) fn advance(bench: &mut Bench, seconds: f64) -> anyhow::Result<()> {
    ensure!(
        (0.0..=1e6).contains(&seconds),
        "0 to 1000000 seconds can pass at once"
    );
    physics::pass(bench, seconds);
    Ok(())
}

pub(crate) fn limit(bench: &mut Bench, which: Which, watts: f64) -> anyhow::Result<()> {
    each(bench, which, |card| {
        let set = operate::set_limit(card, Watts::from_f64(watts).milliwatts());
        set.ok().with_context(|| {
            let profile = card.profile();
            format!(
                "{} takes {} to {}",
                profile.name, profile.min_limit, profile.max_limit
            )
        })
    })
}

pub(crate) fn out_of_band(bench: &mut Bench, which: Which, watts: f64) -> anyhow::Result<()> {
    each(bench, which, |card| {
        card.out_of_band_limit = Watts::from_f64(watts).milliwatts();
        Ok(())
    })
}

/// What has a clock to lock.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Domain {
    Sm,
    Memory,
}

pub(crate) fn lock(
    bench: &mut Bench,
    which: Which,
    domain: Domain,
    min: u32,
    max: u32,
) -> anyhow::Result<()> {
    each(bench, which, |card| {
        let locked = match domain {
            Domain::Sm => operate::lock_sm(card, min, max),
            Domain::Memory => operate::lock_memory(card, min, max),
        };
        locked.map_err(|code| anyhow::anyhow!("{} refuses: {code:?}", card.profile().name))
    })
}

pub(crate) fn unlock(bench: &mut Bench, which: Which, domain: Domain) -> anyhow::Result<()> {
    each(bench, which, |card| {
        match domain {
            Domain::Sm => card.sm_lock = Lock::NONE,
            Domain::Memory => card.memory_lock = Lock::NONE,
        }
        Ok(())
    })
}

/// What to put wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// A mask of [`Fault`]s, instead of what is wrong already.
    Whole(u32),
    /// A mask of [`Feature`]s, in addition to what is wrong already.
    Unsupported(u32),
}

/// `lost`, `unsupported:power,fan`, `none`
pub(crate) fn trouble(text: &str) -> Result<Trouble, String> {
    if let Some(fields) = text.strip_prefix("unsupported:") {
        return fields
            .split(',')
            .try_fold(0, |mask, name| {
                let known = || Feature::ALL.map(|(name, _)| name).join(", ");
                let feature = Feature::named(name)
                    .ok_or_else(|| format!("no field {name}; there are {}", known()))?;
                Ok(mask | feature.bit())
            })
            .map(Trouble::Unsupported);
    }
    let known = || Fault::ALL.map(|(name, _)| name).join(", ");
    let faults = text.split(',').try_fold(0, |mask, name| {
        let fault = Fault::named(name)
            .ok_or_else(|| format!("there are {}, unsupported:FIELD", known()))?;
        Ok(mask | fault.bit())
    });
    faults.map(Trouble::Whole)
}

pub(crate) fn fault(bench: &mut Bench, which: Which, trouble: Trouble) -> anyhow::Result<()> {
    each(bench, which, |card| {
        match trouble {
            Trouble::Unsupported(mask) => card.unsupported |= mask,
            Trouble::Whole(fault) => operate::set_faults(card, fault),
        }
        if matches!(trouble, Trouble::Whole(0)) {
            card.unsupported = 0;
        }
        Ok(())
    })
}

/// How long calls take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Latency {
    Microseconds(u32),
    Reported,
}

/// `1500`, `reported`
pub(crate) fn latency(text: &str) -> Result<Latency, String> {
    if text == "reported" {
        return Ok(Latency::Reported);
    }
    let number = text.parse().map(Latency::Microseconds);
    number.map_err(|_| "a number of µs, or reported".to_owned())
}

pub(crate) fn slow_down(bench: &mut Bench, which: Which, latency: Latency) -> anyhow::Result<()> {
    each(bench, which, |card| {
        (card.latency_microseconds, card.reported_latencies) = match latency {
            Latency::Microseconds(all) => (all, 0),
            Latency::Reported => (0, 1),
        };
        Ok(())
    })
}

pub(crate) fn xid(bench: &mut Bench, gpu: u32, code: u32) -> anyhow::Result<()> {
    ensure!(gpu < bench.gpu_count, "no GPU {gpu}");
    operate::report_xid(bench, gpu, code);
    Ok(())
}

/// Does it to the cards in question, or to none of them if one refuses.
pub(crate) fn each(
    bench: &mut Bench,
    which: Which,
    mut action: impl FnMut(&mut Card) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut changed = *bench;
    let cards = changed.cards_mut();
    match which.gpu {
        Some(index) => match cards.get_mut(index) {
            Some(card) => action(card)?,
            None => bail!("no GPU {index}"),
        },
        None => cards.iter_mut().try_for_each(action)?,
    }
    *bench = changed;
    Ok(())
}
