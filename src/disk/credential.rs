//! Reads the single line of a credential's file. It is read for every request, so that it can change
//! while the guard runs. Errors don't repeat its content.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::disk;

/// A service account's token in Kubernetes has about 1500 bytes.
const MAX_BYTES: u64 = 16 * 1024;

/// How long a request waits for its credential's disk.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn line(path: &Path) -> io::Result<String> {
    let its = path.to_owned();
    let text = disk::patiently(path, PATIENCE, move || disk::read_text(&its, MAX_BYTES));
    let text = text.flatten()?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(unfit("it is empty"));
    }
    if secret.contains(char::is_control) {
        return Err(unfit("it must be one line"));
    }
    Ok(secret.to_owned())
}

fn unfit(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_regular_file_of_one_line_is_a_credential() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, " secret \n").unwrap();
        assert_eq!(line(&path).unwrap(), "secret");
        for unfit in ["", "\n", "two\nlines\n"] {
            fs::write(&path, unfit).unwrap();
            assert!(line(&path).is_err(), "{unfit:?}");
        }
        let error = line(dir.path()).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = line(&socket).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}
