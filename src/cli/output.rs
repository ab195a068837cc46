//! The output of a command, and its exit code.

use std::io::Write as _;
use std::process::ExitCode;

use super::log;

/// Bad configuration, as in sysexits.h.
pub(super) const EXIT_CONFIG: u8 = 78;

pub(super) fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::complain(&format!("thermal-guard: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output, in colour at a terminal. Fails if the reader is gone (`| head`).
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
