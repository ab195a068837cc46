//! The settings of a guard.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use strum::IntoStaticStr;

use crate::device::{ByKnob, ClockRange};
use crate::policy::ask::chain::Expected;
use crate::policy::{Level, PolicyName, Settings, TripOverrides};
use crate::units::Ratio;

use super::app::AppConfig;
use super::gpus::GpuSelection;
use super::notify::NotifyConfig;
use super::pull::PullConfig;
use super::sensor::SensorConfig;

/// All settings. [`Config::default`] corresponds to an empty file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub mode: Mode,
    pub gpus: GpuSelection,
    pub poll_interval: Duration,
    pub thresholds: TripOverrides,
    pub policy: PolicyConfig,
    pub sensors: Vec<SensorConfig>,
    pub actuators: Actuators,
    pub apps: Vec<AppConfig>,
    pub hook: HookConfig,
    pub alertmanager: AlertmanagerConfig,
    /// Names of this machine in alerts, beside its own name and addresses.
    pub node_names: Vec<String>,
    pub notify: Option<NotifyConfig>,
    pub on_exit: OnExit,
}

/// Whether the guard acts on its decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Mode {
    #[default]
    Enforce,
    /// Every decision is computed and exported, nothing is written.
    Observe,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Observe];

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    pub name: PolicyName,
    pub recovery_delay: Duration,
}

/// The actuators that the guard may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Actuators {
    pub enabled: ByKnob<bool>,
    /// Shares of the card's default limit; the floor is under the ceiling.
    pub gradual_floor: Ratio,
    pub lease_ceiling: Ratio,
    /// Where the clock takes the place of the limit: a share of the highest clock.
    pub clock_floor: Ratio,
    /// An operator's own clock lock, set again after the guard's: NVML can't read locks.
    pub gpu_clock_restore: Option<ClockRange>,
}

/// Who may actuate over HTTP, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookConfig {
    pub bearer_token_file: Option<PathBuf>,
    /// Client certificates with one of these names may actuate.
    pub client_allowed_sans: Vec<String>,
    /// Time to live of a firing alert without renewal.
    pub lease: Duration,
    /// Total time in any sliding hour that leases may hold a GPU.
    pub max_hold: Duration,
    /// Severity label to level; empty: only `guard_action` acts.
    pub severity_map: BTreeMap<String, Level>,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AlertmanagerConfig {
    pub expected: Expected,
    /// `None`: three times the slower of the two paces that are learned.
    pub heartbeat_timeout: Option<Duration>,
    /// `None`: nothing is pulled.
    pub pull: Option<PullConfig>,
}

impl AlertmanagerConfig {
    /// A configured URL implies that an Alertmanager is expected.
    pub fn expected(&self) -> Expected {
        match (self.expected, &self.pull) {
            (Expected::Auto, Some(_)) => Expected::Yes,
            (expected, _) => expected,
        }
    }
}

/// What happens to a throttled GPU at a clean stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnExit {
    /// A GPU at or below safe is restored; a hotter one stays capped and in the journal.
    #[default]
    Restore,
    Keep,
}

impl Config {
    /// The settings of the policy.
    pub fn policy_settings(&self) -> Settings {
        Settings {
            regulator: self.policy.name,
            trips: self.thresholds,
            recovery_delay: self.policy.recovery_delay,
            gradual_floor: self.actuators.gradual_floor,
            clock_floor: self.actuators.clock_floor,
            lease_ceiling: self.actuators.lease_ceiling,
            own_clock: self.actuators.gpu_clock_restore,
            max_hold: self.hook.max_hold,
            enabled: self.actuators.enabled,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        // The policy module documents its own defaults.
        let policy = Settings::default();
        Self {
            mode: Mode::default(),
            gpus: GpuSelection::All,
            poll_interval: Duration::from_secs(1),
            thresholds: policy.trips,
            policy: PolicyConfig {
                name: policy.regulator,
                recovery_delay: policy.recovery_delay,
            },
            sensors: Vec::new(),
            actuators: Actuators {
                enabled: policy.enabled,
                gradual_floor: policy.gradual_floor,
                lease_ceiling: policy.lease_ceiling,
                clock_floor: policy.clock_floor,
                gpu_clock_restore: None,
            },
            apps: Vec::new(),
            hook: HookConfig {
                bearer_token_file: None,
                client_allowed_sans: Vec::new(),
                lease: Duration::from_secs(30),
                max_hold: policy.max_hold,
                severity_map: BTreeMap::new(),
            },
            alertmanager: AlertmanagerConfig::default(),
            node_names: Vec::new(),
            notify: None,
            on_exit: OnExit::default(),
        }
    }
}
