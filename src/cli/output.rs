//! The output of a command, and its exit code.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use thiserror::Error;

use super::log;

/// Bad configuration, as in sysexits.h.
pub(super) const EXIT_CONFIG: u8 = 78;

pub(super) fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // It has seen what it wanted.
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
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

/// Nobody reads standard output any more (`| head`): no reason to complain.
#[derive(Debug, Error)]
#[error("nobody reads the output any more")]
pub(super) struct ReaderGone;

/// Prints to standard output, in colour at a terminal. Fails with [`ReaderGone`] if the reader is gone.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        result => Ok(result?),
    }
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
