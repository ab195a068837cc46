//! Which vendor's driver has the node's GPUs. Another vendor is one more folder beside
//! [`super::nvml`], and one more line in each function here.

use std::path::PathBuf;
use std::sync::Arc;

use super::driver::Driver;
use super::nvml;

/// How to find the driver.
#[derive(Clone, Debug, Default)]
pub struct DriverOptions {
    /// Where the vendor's library is. `None`: the system's loader finds it.
    pub library: Option<PathBuf>,
}

/// The driver of the node's GPUs. It loads nothing before it is used.
pub fn driver(options: DriverOptions) -> Arc<dyn Driver> {
    Arc::new(nvml::NvmlDriver::new(options.library))
}

/// The vendor's name of a workload power profile, for people. `None`: it is newer than this build.
pub fn power_profile_name(number: u8) -> Option<&'static str> {
    nvml::profile_name(number)
}

/// Whether a text has the form of a vendor's GPU UUID.
pub fn is_uuid(text: &str) -> bool {
    nvml::is_gpu_uuid(text)
}
