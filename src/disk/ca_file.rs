//! The authorities that an outgoing connection trusts: those in a PEM file, and no others.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::disk;

/// How long a start waits for the disk that the file is on.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is wrong with a CA file.
#[derive(Debug, Error)]
pub enum TrustError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The parser's own message may repeat a line of it.
    #[error("{} has a certificate that is cut off or garbled: write the file again", .0.display())]
    Broken(PathBuf),
    #[error("{} has no certificate in PEM form", .0.display())]
    Empty(PathBuf),
}

/// Trusts the certificates in this file only.
pub fn only(ca_file: &Path) -> Result<TlsConfig, TrustError> {
    let path = || ca_file.to_owned();
    let its = path();
    let pem = disk::patiently(ca_file, PATIENCE, move || disk::read(&its, disk::MAX_BYTES));
    let pem = pem.flatten().map_err(|source| TrustError::Unreadable {
        path: path(),
        source,
    })?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(TrustError::Broken(path())),
        }
    }
    if certificates.is_empty() {
        return Err(TrustError::Empty(path()));
    }
    let roots = RootCerts::from(certificates);
    Ok(TlsConfig::builder().root_certs(roots).build())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};
    use tempfile::NamedTempFile;

    use super::*;

    fn trusting(pem: &str) -> Result<TlsConfig, TrustError> {
        let file = NamedTempFile::new().expect("file");
        fs::write(file.path(), pem).expect("written");
        only(file.path()).inspect_err(|error| {
            let name = file.path().display().to_string();
            assert!(error.to_string().starts_with(&name), "{error}");
        })
    }

    #[test]
    fn a_file_must_hold_an_authority_and_nothing_broken() {
        let key = KeyPair::generate().expect("key");
        let parameters = CertificateParams::new(["ca".to_owned()]).expect("name");
        let authority = parameters.self_signed(&key).expect("signed").pem();
        let both = format!("{}{authority}", key.serialize_pem());
        assert!(trusting(&authority).is_ok());
        assert!(trusting(&both).is_ok(), "a key beside it changes nothing");
        let key_alone = trusting(&key.serialize_pem());
        assert!(matches!(key_alone, Err(TrustError::Empty(_))));
        let torn = authority.replace("-----END CERTIFICATE-----", "");
        for broken in [format!("{authority}{torn}"), torn] {
            assert!(matches!(trusting(&broken), Err(TrustError::Broken(_))));
        }
    }
}
