//! The driver and each GPU: sensors and thresholds in force.

use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;

use crate::config::{Config, GpuSelection, Mode};
use crate::device::{Driver, DriverError, Facts, Identity, Missing, Reading};
use crate::guard::preflight::{self, Preflight};
use crate::guard::roll::counted;
use crate::guard::{Clock, journal};
use crate::policy::zone::{TripOrigin, TripTable};
use crate::policy::{Judgement, LimitClaim, Sensor, SensorReport, SensorState, View};
use crate::units::Celsius;

use super::{Finding, Flags, power, serve};

/// Alert this far under the card's own maximum acts in ordinary full-load operation on most cards.
const FAR_UNDER_MAX: Celsius = Celsius::new(15.0);

/// Looks at every guarded GPU, telling `report` as it goes.
pub(super) fn all(flags: &Flags, config: &Config, report: &dyn Fn(Finding)) {
    let clock = Clock::start(flags.time_scale);
    let driver = serve::driver(flags, Mode::Observe, clock);
    let inventory = match driver.inventory() {
        Ok(inventory) => inventory,
        Err(error) => return report(unusable(&error)),
    };
    report(found(flags, &inventory));
    let counted = counted(driver.as_ref(), inventory.len());
    uncounted(counted, inventory.len())
        .into_iter()
        .for_each(report);
    let (inventory, twins) = without_twins(inventory);
    twins.into_iter().for_each(report);
    let chosen: Vec<_> = inventory
        .into_iter()
        .filter(|identity| config.gpus.matches(identity))
        .collect();
    if let Some(finding) = missing(&config.gpus, chosen.len()) {
        report(finding);
    }
    for identity in chosen {
        let left = journal::load(&flags.state_dir(), &identity.uuid);
        let held = left.ok().flatten().and_then(|left| left.claim.limit);
        let findings = of_gpu(driver.as_ref(), config, clock, &identity, held);
        for finding in findings {
            report(finding.of_gpu(identity.index));
        }
    }
}

fn unusable(error: &DriverError) -> Finding {
    let remedy = match error {
        DriverError::LibraryMissing(_) => {
            "in a container, set NVIDIA_DRIVER_CAPABILITIES=utility; to try the guard without a GPU, `thermal-guard serve --simulate`"
        }
        DriverError::DriverNotLoaded => {
            "load it (modprobe nvidia) and see dmesg; to try the guard without a GPU, `thermal-guard serve --simulate`"
        }
        DriverError::VersionMismatch => "finish the upgrade: reload the driver, or reboot",
        _ => "see nvidia-smi and dmesg",
    };
    Finding::fail("driver", error.to_string(), remedy)
}

fn found(flags: &Flags, inventory: &[Arc<Identity>]) -> Finding {
    const CHECK: &str = "driver";
    let Some(first) = inventory.first() else {
        return Finding::fail(CHECK, "there is no GPU", "see nvidia-smi and dmesg");
    };
    let version = first.driver_version.as_deref().unwrap_or("unknown");
    let what = if flags.simulate {
        "simulated"
    } else {
        "NVIDIA"
    };
    let count = match inventory.len() {
        1 => "1 GPU".to_owned(),
        count => format!("{count} GPUs"),
    };
    Finding::ok(CHECK, format!("{what}, version {version}, {count}"))
}

/// What the driver counts and can't name can't be guarded.
fn uncounted(counted: usize, listed: usize) -> Option<Finding> {
    (counted > listed).then(|| {
        Finding::fail(
            "gpus",
            format!("the driver counts {counted} GPUs and can tell the UUIDs of {listed}"),
            "the others can't be guarded: see nvidia-smi -L and dmesg; they may need a reset",
        )
    })
}

/// A GPU is known by its UUID: of two with the same, the first is meant.
fn without_twins(inventory: Vec<Arc<Identity>>) -> (Vec<Arc<Identity>>, Vec<Finding>) {
    let mut kept: Vec<Arc<Identity>> = Vec::new();
    let mut twins = Vec::new();
    for gpu in inventory {
        match kept.iter().find(|other| other.uuid == gpu.uuid) {
            None => kept.push(gpu),
            Some(other) => twins.push(Finding::warn(
                "gpus",
                format!(
                    "indexes {} and {} have the same UUID, {}",
                    other.index, gpu.index, gpu.uuid
                ),
                "the second can't be guarded: it needs new firmware or another vGPU profile",
            )),
        }
    }
    (kept, twins)
}

/// Of a list, each entry is to name a GPU.
fn missing(selection: &GpuSelection, chosen: usize) -> Option<Finding> {
    let GpuSelection::Listed(listed) = selection else {
        return None;
    };
    (chosen < listed.len()).then(|| {
        Finding::fail(
            "gpus",
            format!("{} listed, {chosen} of them here", listed.len()),
            "correct `gpus`: nvidia-smi -L lists UUIDs and indexes",
        )
    })
}

/// `held`: what a guard, running or dead, holds of the GPU's limit.
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
    } = preflight::look(gpu.as_mut(), config.thresholds, |pause| {
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
    findings.push(power::of_gpu(config, identity, gpu.facts(), &reading, held));
    findings.extend(power::forgotten(config, gpu.facts(), &reading));
    findings
}

fn sensors(reading: &Reading, judged: &Judgement) -> Finding {
    const CHECK: &str = "sensors";
    let shown = |name, value: Result<Celsius, Missing>| match value {
        Ok(value) => format!("{name} {value}"),
        Err(Missing::NotSupported) => format!("no {name}"),
        Err(Missing::Failed(code)) => format!("{name} unreadable (NVML code {code})"),
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
    Finding::ok("thresholds", detail)
        .warned(acts_in_normal_use(config, table, facts, reading, judged))
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
        let warning = "what is configured can't stand on this card and is lowered".to_owned();
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
    let target = facts.thresholds.acoustic_current;
    target.filter(|target| *target >= core.alert).map(|target| {
        let warning = format!("its own fans let it get to {target}");
        (
            warning,
            "it will throttle in normal use; raise `thresholds`, or lower the card's target temperature",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    use crate::device::Uuid;

    fn gpu(index: u32, uuid: &str) -> Arc<Identity> {
        Arc::new(Identity {
            uuid: Uuid::new(uuid),
            index,
            name: String::new(),
            pci_bus_id: String::new(),
            serial: None,
            vbios_version: None,
            driver_version: None,
            architecture: None,
            brand: None,
            mig_uuids: Vec::new(),
        })
    }

    #[test]
    fn a_gpu_that_is_counted_and_can_t_be_named_fails() {
        assert!(uncounted(2, 2).is_none());
        let finding = uncounted(3, 2).unwrap();
        assert_eq!(finding.status, Status::Fail);
        let said = "the driver counts 3 GPUs and can tell the UUIDs of 2";
        assert_eq!(finding.detail, said);
    }

    #[test]
    fn of_two_gpus_with_one_uuid_the_second_is_warned_of() {
        let all = vec![gpu(0, "GPU-a"), gpu(1, "GPU-b"), gpu(2, "GPU-a")];
        let (kept, twins) = without_twins(all);
        assert_eq!(kept.iter().map(|it| it.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((twins.len(), twins[0].status), (1, Status::Warn));
        let said = "indexes 0 and 2 have the same UUID, GPU-a";
        assert_eq!(twins[0].detail, said);
    }
}
