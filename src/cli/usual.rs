//! The configuration that a person means who names none: the service's, where there is one. `serve`
//! doesn't ask here: what a service reads stands in its unit.

use std::env;
use std::io;
use std::path::PathBuf;

use super::{Command, Flags, log};

const SERVICES: &str = "/etc/thermal-guard/thermal-guard.yml";

/// Another place, for tests. Not a flag: one whose value stands in the environment counts as given, and
/// no command at all would be a mistake instead of a question for the help.
const ELSEWHERE: &str = "THERMAL_GUARD_USUAL_CONFIG";

impl Command {
    /// Those that would otherwise look at, or speak for, a guard that has another configuration.
    const fn is_about_the_service(&self) -> bool {
        matches!(
            self,
            Self::Check(_)
                | Self::Reload(_)
                | Self::Restore(_)
                | Self::Status(_)
                | Self::Throttle(_)
                | Self::Release(_)
                | Self::Pause(_)
                | Self::Resume(_)
                | Self::Detach
                | Self::Attach
        )
    }
}

/// With the service's file, where `command` is about that and none was named; said to standard error,
/// first of all. A simulated guard is another one.
pub(super) fn with_its_file(flags: &Flags, command: &Command) -> Flags {
    let mut flags = flags.clone();
    if flags.config_file.is_some() || flags.simulate || !command.is_about_the_service() {
        return flags;
    }
    let file = env::var_os(ELSEWHERE).map_or_else(|| PathBuf::from(SERVICES), PathBuf::from);
    let there = match file.try_exists() {
        Ok(there) => there,
        // There may be one that this user can't see: reading it says so.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    if there {
        log::remark(&format!(
            "thermal-guard: with {} (another: --config.file)",
            file.display()
        ));
        flags.config_file = Some(file);
    }
    flags
}
