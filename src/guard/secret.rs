//! The one line of a credential's file. Read for every request, so that it can be changed under a
//! running guard; no error says what is in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// A service account's token in Kubernetes has about 1500 bytes.
const MAX_BYTES: u64 = 16 * 1024;

pub(crate) fn line(path: &Path) -> io::Result<String> {
    // Before it is opened: opening a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    File::open(path)?
        .take(MAX_BYTES)
        .read_to_string(&mut text)?;
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
        assert_eq!(error.to_string(), "it is no regular file");
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = line(&socket).unwrap_err();
        assert_eq!(error.to_string(), "it is no regular file");
    }
}
