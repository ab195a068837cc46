//! GPUs as the guard sees them: the [`driver`] of a node, its open GPUs ([`gpu`]) with their
//! [`facts`], [`reading`]s, slowdown reasons ([`slowdown`]), [`knob`]s and [`error`]s, and
//! temperatures in files ([`file_sensor`]). Only the folders of the vendors ([`nvml`]) know a
//! vendor's library; the [`factory`] chooses among them.
//!
//! A missing value is a value here ([`Missing`]), never a zero: "this card has no memory sensor",
//! "this read failed" and "the card is gone" lead to different decisions.

pub mod driver;
pub mod dry_run;
pub mod error;
pub mod factory;
pub mod facts;
pub mod file_sensor;
pub mod gpu;
pub mod knob;
pub mod nvml;
pub mod plausible;
pub mod reading;
pub mod slowdown;

pub use driver::{CriticalError, CriticalErrors, Driver};
pub use error::{ActuatorError, DriverError, ErrorCode};
pub use factory::DriverOptions;
pub use facts::{Facts, Identity, MarginOffsets, PowerConstraints, Thresholds, Uuid};
pub use file_sensor::{FileSensor, FileSensorError, SensorUnit};
pub use gpu::{Actuator, Cadence, ClockRange, FanSetting, Gpu, Sensor};
pub use knob::{ByClock, ByKnob, ClockDomain, Knob};
pub use reading::{Fan, FanPolicy, MOST_FANS, Missing, PowerProfiles, ProfileSet, Reading, Slow};
pub use slowdown::{SlowdownReason, SlowdownReasons};
