//! The keys of the configuration file, the values that each accepts, and the relations between them.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::device::{ClockDomain, ClockRange, Knob};
use crate::policy::ask::chain::Expected;
use crate::policy::{Level, PolicyName, TripOverrides, TripRule};
use crate::units::{Megahertz, Ratio};

use super::app::read_apps;
use super::gpus::GpuSelection;
use super::notify::read_notify;
use super::pull::read_pull;
use super::sensor::read_sensors;
use super::tree::section::Section;
use super::tree::value::{
    Wrong, boolean, celsius, choice, duration, fraction, integer, list, list_or_none, or_auto,
    secret_file, text,
};
use super::types::{Actuators, AlertmanagerConfig, Config, HookConfig, Mode, OnExit, PolicyConfig};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A machine has one, or a few.
const MAX_NAMES: usize = 16;

/// From an idle card's temperature, for a rehearsal, up to the temperature at which any firmware stops.
const TRIP_RANGE: std::ops::RangeInclusive<f64> = 20.0..=110.0;

pub(super) fn config(root: &mut Section<'_>, dir: &Path) -> Config {
    let default = Config::default();
    let exits = [("restore", OnExit::Restore), ("keep", OnExit::Keep)];
    let intervals = Duration::from_millis(100)..=10 * SECOND;
    let mut config = Config {
        mode: root.take("mode", mode).unwrap_or_default(),
        gpus: root.take("gpus", GpuSelection::parse).unwrap_or_default(),
        poll_interval: root
            .take("poll_interval", duration(intervals))
            .unwrap_or(default.poll_interval),
        thresholds: thresholds(root),
        policy: root.section("policy", |section| policy(section, default.policy)),
        actuators: root.section("actuators", |section| actuators(section, default.actuators)),
        sensors: read_sensors(root, dir),
        apps: read_apps(root, dir),
        hook: root.section("hook", |section| hook(section, &default.hook, dir)),
        alertmanager: AlertmanagerConfig::default(),
        node_names: root.section("node", node),
        notify: root
            .optional("notify", |section| read_notify(section, dir))
            .flatten(),
        on_exit: root.take("on_exit", choice(&exits)).unwrap_or_default(),
    };
    let lease = config.hook.lease;
    config.alertmanager = root.section("alertmanager", |section| alertmanager(section, lease, dir));
    config
}

fn mode(value: &Value) -> Result<Mode, Wrong> {
    let modes = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];
    choice(&modes)(value).map_err(|wrong| match value.as_str() {
        Some("dry-run" | "dry_run" | "dryrun") => Wrong {
            accepted: format!("{} (which is what --dry-run means)", wrong.accepted),
            ..wrong
        },
        _ => wrong,
    })
}

/// `thresholds: auto` or `before_firmware`, or each threshold by itself.
fn thresholds(root: &mut Section<'_>) -> TripOverrides {
    for (word, rule) in [
        ("auto", TripRule::Auto),
        ("before_firmware", TripRule::BeforeFirmware),
    ] {
        if root.is_word("thresholds", word) {
            root.take("thresholds", |_| Ok(()));
            return TripOverrides {
                rule,
                ..TripOverrides::default()
            };
        }
    }
    root.section("thresholds", |section| {
        let mut trip = |key| {
            let parse = or_auto(celsius(TRIP_RANGE));
            section.take(key, parse).flatten()
        };
        let trips = TripOverrides {
            alert: trip("alert"),
            critical: trip("critical"),
            safe: trip("safe"),
            rule: TripRule::Auto,
        };
        check_order(section, &trips);
        trips
    })
}

/// Refuses trips that no card can use: given numbers against each other, and against those that follow
/// from them. Trips that one card can't use are lowered on that card.
fn check_order(section: &Section<'_>, given: &TripOverrides) {
    const ORDER: &str = "safe < alert < critical";
    if let (Some(alert), Some(critical)) = (given.alert, given.critical)
        && alert >= critical
    {
        let problem = format!("{alert} is not under critical, {critical}");
        section.wrong("alert", Wrong::new(problem, ORDER));
    }
    let from = if given.alert.is_some() {
        ""
    } else {
        " (from critical)"
    };
    if let (Some(safe), Some(alert)) = (given.safe, given.alert_told())
        && safe >= alert
    {
        let problem = format!("{safe} is not under alert, {alert}{from}");
        section.wrong("safe", Wrong::new(problem, ORDER));
    }
}

fn policy(section: &mut Section<'_>, default: PolicyConfig) -> PolicyConfig {
    let names = PolicyName::ALL.map(|name| (name.name(), name));
    PolicyConfig {
        name: section.take("name", choice(&names)).unwrap_or_default(),
        recovery_delay: section
            .take("recovery_delay", duration(Duration::ZERO..=HOUR))
            .unwrap_or(default.recovery_delay),
    }
}

fn actuators(section: &mut Section<'_>, default: Actuators) -> Actuators {
    let mut actuators = default;
    section.section("power_limit", |power| {
        actuators.enabled[Knob::PowerLimit] = enabled(power, default, Knob::PowerLimit);
        let floor = power.take("gradual_floor", fraction);
        let ceiling = power.take("lease_ceiling", fraction);
        actuators.gradual_floor = floor.unwrap_or(default.gradual_floor);
        actuators.lease_ceiling = ceiling.unwrap_or(default.lease_ceiling);
        check_floor(power, actuators.gradual_floor, actuators.lease_ceiling);
    });
    for domain in ClockDomain::ALL {
        let knob = domain.knob();
        section.section(knob.name(), |clock| {
            actuators.enabled[knob] = enabled(clock, default, knob);
            if domain == ClockDomain::Gpu {
                let floor = clock.take("gradual_floor", fraction);
                actuators.clock_floor = floor.unwrap_or(default.clock_floor);
                actuators.gpu_clock_restore = clock.nullable("restore", clock_range);
            }
        });
    }
    section.section(Knob::Fan.name(), |fan| {
        actuators.enabled[Knob::Fan] = enabled(fan, default, Knob::Fan);
    });
    actuators
}

fn enabled(section: &mut Section<'_>, default: Actuators, knob: Knob) -> bool {
    let enabled = section.take("enabled", boolean);
    enabled.unwrap_or(default.enabled[knob])
}

fn check_floor(section: &Section<'_>, floor: Ratio, ceiling: Ratio) {
    if floor >= ceiling {
        let (floor, ceiling) = (floor.value(), ceiling.value());
        let problem = format!("{floor} is not under lease_ceiling, {ceiling}");
        let accepted = "gradual_floor < lease_ceiling";
        section.wrong("gradual_floor", Wrong::new(problem, accepted));
    }
}

fn clock_range(value: &Value) -> Result<ClockRange, Wrong> {
    let accepted = "[min, max] in MHz, min at most max, 1 to 10000";
    let clocks = list(integer(1..=10_000))(value).map_err(|wrong| Wrong {
        accepted: accepted.to_owned(),
        ..wrong
    })?;
    match clocks[..] {
        [min, max] if min <= max => Ok(ClockRange {
            min: Megahertz::new(min),
            max: Megahertz::new(max),
        }),
        _ => Err(Wrong::new("is not min and max", accepted)),
    }
}

fn hook(section: &mut Section<'_>, default: &HookConfig, dir: &Path) -> HookConfig {
    let levels = [
        ("gradual", Level::Gradual),
        ("emergency", Level::Emergency),
        ("none", Level::None),
    ];
    HookConfig {
        bearer_token_file: section.nullable("bearer_token_file", secret_file(dir)),
        client_allowed_sans: section
            .nullable("client_allowed_sans", list_or_none(text))
            .unwrap_or_default(),
        lease: section
            .take("lease", duration(SECOND..=15 * MINUTE))
            .unwrap_or(default.lease),
        max_hold: section
            .take("max_hold", duration(Duration::ZERO..=HOUR))
            .unwrap_or(default.max_hold),
        severity_map: section.entries("severity_map", |_, level| choice(&levels)(level)),
    }
}

/// Prometheus's names of this machine.
fn node(section: &mut Section<'_>) -> Vec<String> {
    let names = section.nullable("names", list_or_none(node_name));
    let names = names.unwrap_or_default();
    if names.len() > MAX_NAMES {
        let problem = format!("has {} names", names.len());
        let accepted = format!("at most {MAX_NAMES}");
        section.wrong("names", Wrong::new(problem, accepted));
    }
    names
}

/// As in the label `instance`: with or without a port.
fn node_name(value: &Value) -> Result<String, Wrong> {
    match text(value) {
        Ok(name) if name.len() <= 253 && !name.contains(char::is_whitespace) => Ok(name),
        _ => Err(Wrong::of(
            value,
            "what the label instance or node says, with or without its port",
        )),
    }
}

fn alertmanager(section: &mut Section<'_>, lease: Duration, dir: &Path) -> AlertmanagerConfig {
    let expected = [
        ("auto", Expected::Auto),
        ("true", Expected::Yes),
        ("false", Expected::No),
    ];
    let timeouts = 2 * SECOND..=10 * MINUTE;
    AlertmanagerConfig {
        expected: section
            .take("expected", choice(&expected))
            .unwrap_or_default(),
        heartbeat_timeout: section
            .take("heartbeat_timeout", or_auto(duration(timeouts)))
            .flatten(),
        pull: read_pull(section, lease, dir),
    }
}
