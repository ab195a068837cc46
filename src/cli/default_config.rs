//! The configuration file for commands that are given none: the service's, if it exists. `serve`
//! doesn't use this: the service's unit names its file.

use std::env;
use std::io;
use std::path::PathBuf;

use super::command::Command;
use super::flags::Flags;
use super::log;

const SERVICES: &str = "/etc/thermal-guard/thermal-guard.yml";

/// Another path, for tests. It isn't a flag: clap counts a flag set by the environment as given, and
/// then `thermal-guard` without a command would be an error instead of showing the help.
const ELSEWHERE: &str = "THERMAL_GUARD_USUAL_CONFIG";

impl Command {
    /// Commands that otherwise would check, or talk to, a guard with another configuration.
    fn is_about_the_service(&self) -> bool {
        if let Self::Validate(options) = self {
            return options.files.is_empty();
        }
        matches!(
            self,
            Self::Check(_)
                | Self::Reload(_)
                | Self::Restore(_)
                | Self::Status(_)
                | Self::Wait(_)
                | Self::Throttle(_)
                | Self::Release(_)
                | Self::Pause(_)
                | Self::Resume(_)
                | Self::Detach
                | Self::Attach
        )
    }
}

/// Adds the service's file if `command` is about the service and no file was given, and says so first
/// on standard error. A simulated guard is another one.
pub(crate) fn with_its_file(flags: &Flags, command: &Command) -> Flags {
    let mut flags = flags.clone();
    if flags.config_file.is_some() || flags.simulate || !command.is_about_the_service() {
        return flags;
    }
    let file = env::var_os(ELSEWHERE).map_or_else(|| PathBuf::from(SERVICES), PathBuf::from);
    let there = match file.try_exists() {
        Ok(there) => there,
        // There may be a file that this user can't see: the error while reading says so.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    if there {
        log::remark(&format!("thermal-guard: using {}", file.display()));
        flags.config_file = Some(file);
    }
    flags
}
