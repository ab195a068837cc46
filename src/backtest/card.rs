//! The card behind a history: limits, trips and curve, from what its exporter tells, from the profile of
//! its model, or assumed.

use crate::device::{Facts, PowerConstraints, Thresholds};
use crate::policy::sense::trips::TripTable;
use crate::policy::{Settings, TripOverrides};
use crate::sim::profile::curve::V100_CURVE;
use crate::sim::profile::{Curve, KNOWN, Profile};
use crate::units::{Celsius, Megahertz, Watts};

use super::history::{History, Row};

/// A card's lowest limit, as a share of its default, if nothing tells it.
const LEAST_LIMIT: f64 = 0.4;

/// The operator's own thresholds, in °C. What isn't given follows from the card.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    pub alert_celsius: Option<f64>,
    pub default_limit_watts: Option<f64>,
}

/// A card.
#[derive(Clone, Debug)]
pub struct Card {
    pub facts: Facts,
    pub settings: Settings,
    pub alert_celsius: f64,
    pub critical_celsius: f64,
    /// Of the memory's own sensor. `None`: its limit isn't known, so its temperature decides nothing.
    pub memory_alert_celsius: Option<f64>,
    pub default_watts: Option<f64>,
    pub highest_megahertz: Option<f64>,
    pub curve: &'static Curve,
    /// The thresholds are assumed: neither exporter nor model tell them.
    pub assumed: bool,
    /// The default limit is the highest draw that was seen.
    pub limit_assumed: bool,
}

impl Card {
    pub fn of(history: &History, wishes: Wishes) -> Self {
        let profile = history.model.as_deref().and_then(profile);
        let told = &history.told;
        let draws = history.rows.iter().filter_map(Row::watts);
        let seen = draws.reduce(f64::max);
        let by_model = profile.map(|it| it.default_limit.as_f64());
        let known = wishes
            .default_limit_watts
            .or(told.default_limit_watts)
            .or(by_model);
        let default = known.or(seen).filter(|watts| *watts > 1.0);
        let min = told
            .min_limit_watts
            .or(profile.map(|it| it.min_limit.as_f64()));
        let clocks = history.rows.iter().filter_map(Row::megahertz);
        let clock = clocks.reduce(f64::max).filter(|clock| *clock > 1.0);
        let max = told.max_operating_celsius;
        let max = max.or(profile.map(|it| it.max_operating.degrees()));
        let hbm = profile.and_then(|it| it.hbm);
        let facts = Facts {
            power: default.map(|default| power(default, min)),
            thresholds: Thresholds {
                gpu_max: max.map(Celsius::new),
                mem_max: hbm.map(|hbm| hbm.max),
                ..Thresholds::default()
            },
            gpu_clock_min: profile.map(|it| it.gpu_clock_min),
            gpu_clock_max: clock.map(megahertz),
            ..Facts::default()
        };
        let settings = Settings {
            trips: trips(history, wishes),
            ..Settings::default()
        };
        let table = TripTable::resolve(&settings.trips, &facts, false, hbm.is_some());
        let core = table.core;
        Self {
            alert_celsius: core.alert.degrees(),
            critical_celsius: core.critical.degrees(),
            memory_alert_celsius: table.memory.map(|trips| trips.alert.degrees()),
            default_watts: default,
            highest_megahertz: clock,
            curve: profile.map_or(&V100_CURVE, |it| it.curve),
            assumed: max.is_none() && settings.trips.is_auto(),
            limit_assumed: known.is_none(),
            facts,
            settings,
        }
    }
}

/// The guard that exported the history had its own.
fn trips(history: &History, wishes: Wishes) -> TripOverrides {
    let told = &history.told;
    match wishes.alert_celsius {
        Some(alert) => TripOverrides {
            alert: Some(Celsius::new(alert)),
            ..TripOverrides::default()
        },
        None => TripOverrides {
            alert: told.alert_celsius.map(Celsius::new),
            critical: told.critical_celsius.map(Celsius::new),
            ..TripOverrides::default()
        },
    }
}

fn power(default: f64, min: Option<f64>) -> PowerConstraints {
    let least = min.unwrap_or(default * LEAST_LIMIT).min(default);
    PowerConstraints {
        default: Watts::from_f64(default),
        min: Watts::from_f64(least),
        max: Watts::from_f64(default),
    }
}

fn profile(model: &str) -> Option<&'static Profile> {
    let bare = |name: &str| name.trim_start_matches("NVIDIA ").to_owned();
    let model = bare(model);
    KNOWN.iter().copied().find(|it| bare(it.name) == model)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates"
)]
pub(super) fn megahertz(clock: f64) -> Megahertz {
    Megahertz::new(clock.round() as u32)
}
