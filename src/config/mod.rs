//! The configuration file: YAML in, a valid [`Config`] or all mistakes at once out. What stands in
//! a `Config` is in range and consistent; nothing further in checks it again.
//!
//! Reading order: [`Config`] (what there is), `read` below (how the keys are called and what they
//! accept), `section` (how mistakes are collected).

pub mod app;
pub mod error;
pub mod gpus;
pub(crate) mod lines;
pub mod pull;
mod read;
pub(crate) mod section;
pub mod sensor;
pub(crate) mod shown;
pub(crate) mod value;
pub(crate) mod yaml;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::device::ClockRange;
use crate::policy::chain::Expected;
use crate::policy::{Level, RegulatorName, Settings, TripOverrides};
use crate::units::Ratio;

pub use app::{AppConfig, EnvFileConfig, HttpConfig, Method, Modes};
pub use error::{ConfigError, ConfigErrors, LoadError};
pub use gpus::{GpuRef, GpuSelection, PciAddress};
pub use pull::{PullConfig, PullCredential};
pub use sensor::SensorConfig;

/// What the operator wants. [`Config::default`] is an empty file.
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
    /// What alerts call this machine, beside its own name and addresses.
    pub node_names: Vec<String>,
    pub on_exit: OnExit,
}

/// Whether decisions are acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Enforce,
    /// Every decision is computed and exported, nothing is written.
    Observe,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Observe];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    pub name: PolicyName,
    pub recovery_delay: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PolicyName {
    #[default]
    Governor,
    Ladder,
}

impl PolicyName {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Governor => "governor",
            Self::Ladder => "ladder",
        }
    }
}

/// What may be used on a GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Actuators {
    pub power_limit: bool,
    /// Shares of the card's default limit; the floor is under the ceiling.
    pub gradual_floor: Ratio,
    pub lease_ceiling: Ratio,
    pub gpu_clock: bool,
    /// An operator's own clock lock, put back after ours: NVML can't read it.
    pub gpu_clock_restore: Option<ClockRange>,
    pub memory_clock: bool,
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
    /// Whoever configures a URL expects an Alertmanager behind it.
    pub fn expected(&self) -> Expected {
        match (self.expected, &self.pull) {
            (Expected::Auto, Some(_)) => Expected::Yes,
            (expected, _) => expected,
        }
    }
}

/// What a clean stop does with a throttled GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnExit {
    /// At or below safe put back, else stay capped and journalled.
    #[default]
    Restore,
    Keep,
}

impl Config {
    /// Reads and checks a file. Relative paths in it count from its directory.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = yaml::read(path).map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let dir = path.parent().unwrap_or(Path::new(""));
        Self::from_yaml_in(&text, dir).map_err(|mut errors| {
            lines::point_out(&text, &mut errors);
            let path = path.to_owned();
            LoadError::Invalid { path, errors }
        })
    }

    /// Relative paths stay as they are.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigErrors> {
        Self::from_yaml_in(text, Path::new(""))
    }

    /// Relative paths count from `dir`.
    pub fn from_yaml_in(text: &str, dir: &Path) -> Result<Self, ConfigErrors> {
        section::read_all(yaml::parse(text)?, |root| read::config(root, dir))
    }

    /// The part that the policy needs.
    pub fn policy_settings(&self) -> Settings {
        Settings {
            regulator: match self.policy.name {
                PolicyName::Governor => RegulatorName::Governor,
                PolicyName::Ladder => RegulatorName::Ladder,
            },
            trips: self.thresholds,
            recovery_delay: self.policy.recovery_delay,
            gradual_floor: self.actuators.gradual_floor,
            lease_ceiling: self.actuators.lease_ceiling,
            max_hold: self.hook.max_hold,
            power_limit: self.actuators.power_limit,
            gpu_clock: self.actuators.gpu_clock,
            memory_clock: self.actuators.memory_clock,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        // The policy knows its own defaults, and why.
        let policy = Settings::default();
        Self {
            mode: Mode::default(),
            gpus: GpuSelection::All,
            poll_interval: Duration::from_secs(1),
            thresholds: policy.trips,
            policy: PolicyConfig {
                name: PolicyName::default(),
                recovery_delay: policy.recovery_delay,
            },
            sensors: Vec::new(),
            actuators: Actuators {
                power_limit: policy.power_limit,
                gradual_floor: policy.gradual_floor,
                lease_ceiling: policy.lease_ceiling,
                gpu_clock: policy.gpu_clock,
                gpu_clock_restore: None,
                memory_clock: policy.memory_clock,
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
            on_exit: OnExit::default(),
        }
    }
}
