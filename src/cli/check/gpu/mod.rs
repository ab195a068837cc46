//! The driver and each GPU: sensors and thresholds in force.

mod fans;
mod inventory;
mod power;

use std::fmt::Write as _;
use std::thread;

use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::device::{Driver, Facts, Identity, Missing, Reading};
use crate::guard::actuate::journal;
use crate::guard::gpu::preflight;
use crate::guard::gpu::preflight::Preflight;
use crate::guard::inventory::counted;
use crate::policy::sense::trips::{TripOrigin, TripTable, told_target};
use crate::policy::{Judgement, LimitClaim, Sensor, SensorReport, SensorState, TripRule, View};
use crate::units::Celsius;

use crate::cli::flags::Flags;
use crate::cli::setup;

use crate::cli::check::finding::Finding;

/// Alert this far under the card's own maximum acts in ordinary full-load operation on most cards.
const FAR_UNDER_MAX: Celsius = Celsius::new(15.0);

/// Checks every guarded GPU, and calls `report` for each finding at once.
pub(crate) fn all(flags: &Flags, config: &Config, report: &dyn Fn(Finding)) {
    let clock = Clock::start(flags.time_scale);
    let driver = setup::driver(flags, Mode::Observe, clock);
    let inventory = match driver.inventory() {
        Ok(inventory) => inventory,
        Err(error) => return report(inventory::unusable(&error)),
    };
    report(inventory::found(flags, &inventory, driver.library()));
    let counted = counted(driver.as_ref(), inventory.len());
    inventory::uncounted(counted, inventory.len())
        .into_iter()
        .for_each(report);
    let (inventory, twins) = inventory::without_twins(inventory);
    twins.into_iter().for_each(report);
    inventory::missing(&config.gpus, &inventory)
        .into_iter()
        .for_each(report);
    let chosen = inventory.iter();
    for identity in chosen.filter(|identity| config.gpus.matches(identity)) {
        let left = journal::load(&flags.journal_dirs(), &identity.uuid);
        let held = left.ok().flatten().and_then(|left| left.claim.limit);
        let findings = of_gpu(driver.as_ref(), config, clock, identity, held);
        for finding in findings {
            report(finding.of_gpu(identity.index));
        }
    }
}

/// `held`: the claim on the GPU's limit of a guard, running or dead.
fn of_gpu(
    driver: &dyn Driver,
    config: &Config,
    clock: Clock,
    identity: &Identity,
    held: Option<LimitClaim>,
) -> Vec<Finding> {
    let mut gpu = match driver.open(&identity.uuid) {
        Ok(gpu) => gpu,
        Err(error) => {
            let detail = format!("{}: {error}", identity.uuid);
            return vec![Finding::fail("open", detail, "see nvidia-smi and dmesg")];
        }
    };
    let Preflight {
        reading,
        judged,
        trips: table,
        fans,
    } = preflight::read(gpu.as_mut(), config.thresholds, |pause| {
        thread::sleep(pause);
        clock.now()
    });
    let (name, uuid, pci) = (&identity.name, &identity.uuid, &identity.pci_bus_id);
    let mut findings = vec![
        Finding::ok("open", format!("{name}, {uuid}, {pci}")),
        sensors(&reading, &judged),
    ];
    if !matches!(judged.view, View::Never) {
        findings.push(thresholds(config, gpu.facts(), &reading, &judged, &table));
    }
    findings.extend(fans::of_gpu(&reading, &fans));
    findings.push(power::of_gpu(config, identity, gpu.facts(), &reading, held));
    findings.extend(power::forgotten(config, gpu.facts(), &reading));
    findings
}

fn sensors(reading: &Reading, judged: &Judgement) -> Finding {
    const CHECK: &str = "sensors";
    let shown = |name, value: Result<Celsius, Missing>| match value {
        Ok(value) => format!("{name} {value}"),
        Err(Missing::NotSupported) => format!("no {name}"),
        Err(Missing::Failed(code)) => format!("{name} unreadable ({code})"),
        Err(Missing::Unconfirmed) => format!("{name} not confirmed by a second read"),
        Err(Missing::Implausible(value)) => {
            format!("{name} says {value}, which no working sensor says")
        }
        Err(Missing::Lost) => format!("{name} lost"),
    };
    let all = [
        shown("core", reading.core),
        shown("memory", reading.memory),
        shown("margin", reading.margin),
    ];
    let detail = all.join(", ");
    let failing = |(_, it): (Sensor, &SensorReport)| it.state == SensorState::Failing;
    match judged.view {
        View::Never => {
            let remedy =
                "the GPU is exported, not guarded: configure a sensor, or rely on its own slowdown";
            Finding::warn(CHECK, detail, remedy)
        }
        View::Blind(_) | View::Blink => {
            let remedy = "the guard is blind on this GPU and caps it: see nvidia-smi -q -d TEMPERATURE and dmesg";
            Finding::fail(CHECK, detail, remedy)
        }
        View::Clear(_) if judged.sensors.iter().any(failing) => {
            let remedy = "the GPU is guarded by its other sensors: see nvidia-smi -q -d TEMPERATURE,POWER and dmesg";
            Finding::warn(CHECK, detail, remedy)
        }
        View::Clear(_) => Finding::ok(CHECK, detail),
    }
}

fn thresholds(
    config: &Config,
    facts: &Facts,
    reading: &Reading,
    judged: &Judgement,
    table: &TripTable,
) -> Finding {
    let core = table.in_force(reading).unwrap_or(table.core);
    let degrees = |value: Celsius| format!("{:.0}", value.degrees());
    let [alert, critical, safe] = [core.alert, core.critical, core.safe].map(degrees);
    let origin = match table.origin {
        TripOrigin::Margin => "from the card's own margin, at its present estimate",
        TripOrigin::MaxOperating => "from the card's maximum operating temperature",
        TripOrigin::Slowdown => "under the temperature at which the card slows itself down",
        TripOrigin::BeforeFirmware => "alert under the target of the card's own firmware",
        TripOrigin::Configured if table.core.are_lowered(&config.thresholds) => {
            "as far as this card allows what is configured"
        }
        TripOrigin::Configured => "as configured",
        TripOrigin::Fallback => "the fallback, as the card names no limit",
    };
    let mut detail = format!("alert {alert} °C, critical {critical} °C, safe {safe} °C, {origin}");
    if let Some(memory) = table.memory {
        let [alert, critical] = [memory.alert, memory.critical].map(degrees);
        // Writing to a String can\'t fail.
        let _ = write!(detail, "; memory alert {alert} °C, critical {critical} °C");
    }
    if let Some(said) = margin_first(table, reading, core.alert) {
        detail.push_str(&said);
    }
    if let Some(said) = firmware(config, facts, core.alert) {
        detail.push_str(&said);
    }
    Finding::ok("thresholds", detail)
        .warned(acts_in_normal_use(config, table, facts, reading, judged))
}

/// Configured numbers are about the core sensor only; a card's own margin may come first.
fn margin_first(table: &TripTable, reading: &Reading, alert: Celsius) -> Option<String> {
    if table.origin != TripOrigin::Configured {
        return None;
    }
    let (core, margin) = (reading.core.ok()?, reading.margin.ok()?);
    let at = core + table.of_margin(margin).to_alert;
    (at < alert).then(|| {
        let at = at.degrees();
        format!("; the card's own margin still acts, at about {at:.0} °C")
    })
}

/// Which of the two acts first, the guard or the card.
fn firmware(config: &Config, facts: &Facts, alert: Celsius) -> Option<String> {
    let asked = config.thresholds.rule == TripRule::BeforeFirmware;
    match told_target(facts) {
        Some(target) if target < alert => Some(format!(
            "; the card acts first, at {target}: thresholds: before_firmware lets the guard be first"
        )),
        None if asked => Some(
            "; the card names no target of its own, so before_firmware is the same as auto"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Why these thresholds would throttle a healthy card, or fail to protect it.
fn acts_in_normal_use(
    config: &Config,
    table: &TripTable,
    facts: &Facts,
    reading: &Reading,
    judged: &Judgement,
) -> Option<(String, &'static str)> {
    let core = table.in_force(reading)?;
    let own = table.origin == TripOrigin::Configured;
    let max = facts.thresholds.gpu_max.or_else(|| {
        let estimate = reading.core.ok()? + reading.margin.ok()?;
        Some(estimate)
    });
    if own && core.are_lowered(&config.thresholds) {
        let warning = "the configured thresholds don't fit this card and are lowered".to_owned();
        return Some((
            warning,
            "keep thresholds.critical under the card's own slowdown, and safe under alert under critical",
        ));
    }
    if matches!(judged.view, View::Clear(heat) if heat.is_hot()) {
        let warning = "it is that hot now, and will be throttled at once".to_owned();
        return Some((warning, "look after its cooling, or set `thresholds`"));
    }
    if let Some(max) = max.filter(|max| own && core.critical > *max) {
        let warning = format!("critical is above the card's own maximum of {max}");
        return Some((warning, "lower thresholds.critical, or leave it out"));
    }
    if let Some(max) = max.filter(|max| own && core.alert < *max - FAR_UNDER_MAX) {
        let warning = format!("alert is far under the card's own maximum of {max}");
        return Some((
            warning,
            "it will throttle in normal use; raise thresholds.alert, or leave it out",
        ));
    }
    let meant = table.origin == TripOrigin::BeforeFirmware;
    let target = facts.thresholds.acoustic_current.filter(|_| !meant);
    target.filter(|target| *target >= core.alert).map(|target| {
        let warning = format!("its own fans let it get to {target}");
        (
            warning,
            "it will throttle in normal use; raise `thresholds`, or lower the card's target temperature",
        )
    })
}
