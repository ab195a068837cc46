//! The configuration that a person means who names none: the service's, where there is one. `serve`
//! doesn't ask here: what a service reads stands in its unit.

use std::io;

use super::{Command, Flags, log};

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
    let there = match flags.usual_config.try_exists() {
        Ok(there) => there,
        // There may be one that this user can't see: reading it says so.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    if there {
        log::remark(&format!(
            "thermal-guard: with {} (another: --config.file)",
            flags.usual_config.display()
        ));
        flags.config_file = Some(flags.usual_config.clone());
    }
    flags
}
