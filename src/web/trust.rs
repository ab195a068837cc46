//! Whom an outgoing connection trusts: the authorities in a PEM file, and nobody else.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// What is wrong with a file of authorities.
#[derive(Debug, Error)]
pub enum TrustError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Broken { path: PathBuf, source: ureq::Error },
    #[error("{} has no certificate in PEM form", .0.display())]
    Empty(PathBuf),
}

/// Trust in the certificates of this file alone.
pub fn only(ca_file: &Path) -> Result<TlsConfig, TrustError> {
    let path = || ca_file.to_owned();
    let pem = std::fs::read(ca_file).map_err(|source| TrustError::Unreadable {
        path: path(),
        source,
    })?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(source) => {
                return Err(TrustError::Broken {
                    path: path(),
                    source,
                });
            }
        }
    }
    if certificates.is_empty() {
        return Err(TrustError::Empty(path()));
    }
    let roots = RootCerts::from(certificates);
    Ok(TlsConfig::builder().root_certs(roots).build())
}
