//! Steady states of the thermal model: which inlet leads to which temperature. Only scenarios and
//! the bound use them; no policy does.

use crate::sim::plant::State;
use crate::sim::profile::Profile;
use crate::units::Celsius;

/// Every sensor's alert is this far below its own limit (`thresholds: auto`).
pub(crate) const ALERT_BELOW_CRITICAL: f64 = 7.0;

/// A card under steady power.
#[derive(Clone, Copy)]
pub(crate) struct Heat<'a> {
    profile: &'a Profile,
    airflow: f64,
}

impl<'a> Heat<'a> {
    pub(crate) const fn of(profile: &'a Profile) -> Self {
        Self {
            profile,
            airflow: 1.0,
        }
    }

    pub(crate) const fn with_airflow(self, airflow: f64) -> Self {
        Self { airflow, ..self }
    }

    /// The inlet at which a card that draws `share` of the default limit is exactly at alert.
    pub(crate) fn inlet_holding(&self, share: f64) -> Celsius {
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

    /// The same for the core alone.
    pub(crate) fn core_inlet_holding(&self, share: f64) -> Celsius {
        let watts = self.profile.default_limit.as_f64() * share;
        let rise = self.sink_rise(share) + watts * self.profile.thermal.die_resistance();
        Celsius::new(self.profile.max_operating.degrees() - ALERT_BELOW_CRITICAL - rise)
    }

    /// The factor on the memory's rise at which the memory is at its alert, at `share` and `inlet`.
    pub(crate) fn hbm_factor_holding(&self, share: f64, inlet: Celsius) -> f64 {
        let Some(hbm) = self.profile.hbm else {
            return 1.0;
        };
        let sink = inlet.degrees() + self.sink_rise(share);
        (hbm.max.degrees() - ALERT_BELOW_CRITICAL - sink) / (hbm.rise.degrees() * share)
    }

    /// With the core at its alert, where fans have their speed from it.
    fn sink_rise(&self, share: f64) -> f64 {
        let watts = self.profile.default_limit.as_f64() * share;
        let alert = self.profile.max_operating - Celsius::new(ALERT_BELOW_CRITICAL);
        let thermal = &self.profile.thermal;
        let speed = thermal.airflow.resting_speed(alert);
        thermal.sink_rise(watts, speed, self.airflow)
    }
}

/// True temperatures of a card, by the sensor nearest to its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Truth {
    /// That sensor's own temperature.
    pub(crate) celsius: f64,
    /// Degrees above that sensor's alert.
    pub(crate) over_alert: f64,
}

impl Truth {
    pub(crate) fn of(profile: &Profile, state: &State) -> Self {
        let margin = state.margin(profile).degrees();
        let core = (profile.max_operating - state.core()).degrees();
        Self {
            celsius: if margin < core { state.hbm } else { state.die },
            over_alert: ALERT_BELOW_CRITICAL - margin,
        }
    }

    pub(crate) fn is_critical(&self) -> bool {
        self.over_alert >= ALERT_BELOW_CRITICAL
    }
}
