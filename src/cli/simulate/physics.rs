//! Steady states of the thermal model, solved: which room asks what of a card. For scenarios and
//! the bound only; no policy sees any of it.

use crate::device::plant::State;
use crate::device::profile::Profile;
use crate::units::Celsius;

/// Every sensor's alert lies this far under its own limit (`thresholds: auto`).
pub(super) const ALERT_BELOW_CRITICAL: f64 = 7.0;

/// A card under steady power.
#[derive(Clone, Copy)]
pub(super) struct Heat<'a> {
    profile: &'a Profile,
    airflow: f64,
}

impl<'a> Heat<'a> {
    pub(super) const fn of(profile: &'a Profile) -> Self {
        Self {
            profile,
            airflow: 1.0,
        }
    }

    pub(super) const fn with_airflow(self, airflow: f64) -> Self {
        Self { airflow, ..self }
    }

    /// The inlet at which drawing `share` of the default limit rests exactly at alert.
    pub(super) fn inlet_holding(&self, share: f64) -> Celsius {
        let core = self.core_inlet_holding(share);
        match self.profile.hbm {
            Some(hbm) => core.min(Celsius::new(
                hbm.max.degrees()
                    - ALERT_BELOW_CRITICAL
                    - self.sink_rise(share)
                    - hbm.rise.degrees() * share,
            )),
            None => core,
        }
    }

    /// The same by the core alone.
    pub(super) fn core_inlet_holding(&self, share: f64) -> Celsius {
        let watts = self.profile.default_limit.as_f64() * share;
        let rise = self.sink_rise(share) + watts * self.profile.thermal.die_resistance();
        Celsius::new(self.profile.max_operating.degrees() - ALERT_BELOW_CRITICAL - rise)
    }

    /// The factor on the memory's rise with which it rests at its alert at `share` and `inlet`.
    pub(super) fn hbm_factor_holding(&self, share: f64, inlet: Celsius) -> f64 {
        let Some(hbm) = self.profile.hbm else {
            return 1.0;
        };
        let sink = inlet.degrees() + self.sink_rise(share);
        (hbm.max.degrees() - ALERT_BELOW_CRITICAL - sink) / (hbm.rise.degrees() * share)
    }

    fn sink_rise(&self, share: f64) -> f64 {
        let watts = self.profile.default_limit.as_f64() * share;
        watts * self.profile.thermal.sink_resistance() * self.airflow
    }
}

/// True temperatures of a card, by the sensor nearest to its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Truth {
    /// That sensor's own temperature.
    pub(super) celsius: f64,
    /// Over that sensor's alert.
    pub(super) over_alert: f64,
}

impl Truth {
    pub(super) fn of(profile: &Profile, state: &State) -> Self {
        let margin = state.margin(profile).degrees();
        let core = (profile.max_operating - state.core()).degrees();
        Self {
            celsius: if margin < core { state.hbm } else { state.die },
            over_alert: ALERT_BELOW_CRITICAL - margin,
        }
    }

    pub(super) fn is_critical(&self) -> bool {
        self.over_alert >= ALERT_BELOW_CRITICAL
    }
}
