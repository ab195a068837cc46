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
            log::complain(&format!("thermal-guard: {}", in_full(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, each once: many of our own errors already end with their cause.
pub(super) fn in_full(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for part in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = part;
        } else if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
    }
    text
}

/// Prints to standard output, in colour at a terminal. Fails if the reader is gone (`| head`).
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;

    use super::*;
    use crate::web::access::token_file::TokenError;

    #[test]
    fn a_cause_is_told_once() {
        let source = io::Error::from_raw_os_error(2);
        let path = "/none".into();
        let told = anyhow::Error::new(TokenError::Unreadable { path, source });
        let text = in_full(&told);
        assert_eq!(text.matches("os error 2").count(), 1, "{text}");

        let source = io::Error::from_raw_os_error(2);
        let untold = Err::<(), _>(source)
            .context("no token")
            .context("not started");
        let text = untold.map_err(|error| in_full(&error)).unwrap_err();
        assert!(text.starts_with("not started: no token: No such"), "{text}");
    }
}
