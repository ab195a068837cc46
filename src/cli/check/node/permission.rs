//! Whether this process may write to a GPU, judged by its privileges. Only a real write would prove it.

use std::fs;

use crate::config::{Config, Mode};

use crate::cli::check::finding::Finding;
use crate::cli::flags::Flags;

/// An error about another user's files says nothing about the guard.
pub(super) const AS_ROOT: &str = "run this check as root (or the service's user)";

/// Bit of `CAP_SYS_ADMIN`, which NVIDIA's kernel module asks for.
const CAP_SYS_ADMIN: u32 = 21;

const REMEDY: &str =
    "run the guard as root or with CAP_SYS_ADMIN (in a container: --cap-add=SYS_ADMIN)";

/// The privileges of this process, from the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Privileges {
    is_root: bool,
    is_capable: bool,
}

impl Privileges {
    /// None without /proc.
    pub(crate) fn own() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
                .split_whitespace()
        };
        // Real, effective, saved, file system.
        let effective = field("Uid:").nth(1);
        let capabilities = field("CapEff:").next();
        let capabilities = capabilities.and_then(|mask| u64::from_str_radix(mask, 16).ok());
        Self {
            is_root: effective == Some("0"),
            is_capable: capabilities.is_some_and(|mask| mask & (1 << CAP_SYS_ADMIN) != 0),
        }
    }

    pub(crate) const fn may_actuate(&self) -> bool {
        self.is_capable
    }
}

pub(crate) fn judge(flags: &Flags, config: &Config, privileges: &Privileges) -> Finding {
    const CHECK: &str = "permission";
    if flags.simulate {
        return Finding::ok(CHECK, "simulated GPUs need none");
    }
    if config.mode == Mode::Observe {
        return Finding::ok(CHECK, "none needed: observe mode writes nothing");
    }
    let warn = |detail| Finding::warn(CHECK, detail, REMEDY);
    match privileges {
        Privileges {
            is_capable: true, ..
        } => Finding::ok(
            CHECK,
            "CAP_SYS_ADMIN is there; only the first write to a GPU proves it",
        ),
        Privileges { is_root: true, .. } => {
            warn("root, but without CAP_SYS_ADMIN: probably an exporter only, can't actuate")
        }
        _ => warn("by this user: exporter only, can't actuate"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(uid: &str, capabilities: &str) -> Privileges {
        Privileges::parse(&format!(
            "Name:\tx\nUid:\t1000\t{uid}\t0\t0\nCapPrm:\t0\nCapEff:\t{capabilities}\n"
        ))
    }

    #[test]
    fn root_in_a_container_is_not_capable() {
        assert!(status("0", "000001ffffffffff").may_actuate());
        assert!(status("1000", "0000000000200000").may_actuate());
        let docker = status("0", "00000000a80425fb");
        assert!(docker.is_root && !docker.may_actuate());
        assert!(!Privileges::parse("").may_actuate());
    }
}
