//! TLS by the web config. Certificate files are checked for each new connection (see
//! [`crate::web::access::live_config`]), and read again after a change. If certificate and key don't fit
//! (only one is renewed yet), the old pair stays in use.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use super::peer::ClientCertificate;
use crate::disk;
use crate::web::access::webconfig::{ClientAuth, Pem, TlsSettings};

/// Why certificates can't be used.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("{what}: {}: {source}", path.display())]
    Unreadable {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Without rustls's own text, which may repeat a line of a key.
    #[error("{what}{place}: no usable PEM in it, {why}")]
    Pem {
        what: &'static str,
        place: String,
        why: &'static str,
    },
    #[error(
        "key{0}: it is encrypted, and the guard has no password for it: decrypt it (`openssl pkey -in KEY -out DECRYPTED`), readable for the guard's user alone"
    )]
    Encrypted(String),
    #[error(
        "certificate{0}: it has none: put the server's certificate there, then those that sign it"
    )]
    NoCertificate(String),
    #[error("client CA: {0}")]
    ClientCa(#[from] VerifierBuilderError),
    /// Certificate and key don't belong together, or suites and versions.
    #[error("certificate, key or protocol: {0}")]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    /// The file couldn't be read: its contents may be good, or still to come.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }
}

/// The TLS configuration for new connections.
pub struct TlsServer(Mutex<Loaded>);

struct Loaded {
    settings: TlsSettings,
    config: Arc<ServerConfig>,
    version: Version,
    /// The unusable version that the log was told of.
    complained: Option<Version>,
}

/// Inode, size and time of each file; `None`: not there.
type Version = Vec<Option<(u64, u64, i64, i64)>>;

impl Loaded {
    fn new(settings: TlsSettings) -> Result<Self, TlsError> {
        let version = version(&settings);
        Ok(Self {
            config: Arc::new(server_config(&settings)?),
            settings,
            version,
            complained: None,
        })
    }
}

impl TlsServer {
    /// Reads the certificates. Blocks.
    pub fn new(settings: TlsSettings) -> Result<Self, TlsError> {
        Loaded::new(settings).map(|loaded| Self(Mutex::new(loaded)))
    }

    /// Applies other settings from the next connection on, if they can be used. Blocks.
    pub(crate) fn replace(&self, settings: TlsSettings) -> Result<(), TlsError> {
        // Read before locking: connections don't wait for a disk.
        if self.0.lock().settings != settings {
            let loaded = Loaded::new(settings)?;
            *self.0.lock() = loaded;
        }
        Ok(())
    }

    /// Applies changed certificates, if they can be used. Blocks.
    pub(crate) fn follow(&self) {
        let settings = self.0.lock().settings.clone();
        let version = version(&settings);
        if version == self.0.lock().version {
            return;
        }
        let config = server_config(&settings);
        let mut loaded = self.0.lock();
        match config {
            Ok(config) => {
                tracing::info!("certificates read again");
                loaded.config = Arc::new(config);
                loaded.version = version;
                loaded.complained = None;
            }
            Err(error) if loaded.complained.as_ref() != Some(&version) => {
                tracing::warn!(%error, "changed certificates can't be used: the old ones stay until the files are corrected");
                loaded.complained = Some(version);
            }
            Err(_) => {}
        }
    }

    /// For a new connection.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.lock().config)
    }

    /// Whether the web config admits this client: by one of the names in its certificate, if there
    /// is a list; without a certificate only where it needn't have one.
    pub(crate) fn admits(&self, client: Option<&ClientCertificate>) -> bool {
        let loaded = self.0.lock();
        let allowed = &loaded.settings.client_allowed_sans;
        client.is_none_or(|client| allowed.is_empty() || client.has_one_of(allowed))
    }
}

fn server_config(settings: &TlsSettings) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&settings.cert, "certificate")?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(place(&settings.cert)));
    }
    let pem = read(&settings.key, "key")?;
    let key = PrivateKeyDer::from_pem_slice(&pem);
    let key = key.map_err(|error| {
        if is_encrypted(&pem) {
            TlsError::Encrypted(place(&settings.key))
        } else {
            unusable("key", &settings.key, &error)
        }
    })?;
    let provider = Arc::new(provider(settings));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&settings.versions)?;
    let builder = match verifier(settings, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.ignore_client_order = settings.prefer_server_cipher_suites;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if let Some(suites) = &settings.cipher_suites {
        provider.cipher_suites.clone_from(suites);
    }
    if let Some(curves) = &settings.curves {
        provider.kx_groups = curves.iter().map(|curve| curve.group()).collect();
    }
    provider
}

fn verifier(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let (Some(ca), true) = (
        &settings.client_ca,
        settings.client_auth != ClientAuth::None,
    ) else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca, "client CA")? {
        roots.add(certificate)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match settings.client_auth {
        ClientAuth::Require => builder,
        _ => builder.allow_unauthenticated(),
    };
    Ok(Some(builder.build()?))
}

fn certificates(pem: &Pem, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(pem, what)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.map_err(|error| unusable(what, pem, &error))
}

fn unusable(what: &'static str, pem: &Pem, error: &pem::Error) -> TlsError {
    let why = match error {
        pem::Error::NoItemsFound => "nothing of that kind: name the right file",
        pem::Error::MissingSectionEnd { .. } => "it is cut off: write it again",
        _ => "it is garbled: write it again",
    };
    TlsError::Pem {
        what,
        place: place(pem),
        why,
    }
}

/// For the end of a message.
fn place(pem: &Pem) -> String {
    match pem {
        Pem::Inline(_) => String::new(),
        Pem::File(path) => format!(": {}", path.display()),
    }
}

/// With a password, in the format of `PKCS#8` or in the older one.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| text.contains(mark))
}

fn read(pem: &Pem, what: &'static str) -> Result<Vec<u8>, TlsError> {
    match pem {
        Pem::Inline(text) => Ok(text.as_bytes().to_vec()),
        Pem::File(path) => {
            disk::read(path, disk::MAX_BYTES).map_err(|source| TlsError::Unreadable {
                what,
                path: path.clone(),
                source,
            })
        }
    }
}

fn version(settings: &TlsSettings) -> Version {
    let pems = [
        Some(&settings.cert),
        Some(&settings.key),
        settings.client_ca.as_ref(),
    ];
    let stamp = |pem: &Pem| match pem {
        Pem::Inline(_) => None,
        Pem::File(path) => fs::metadata(path)
            .ok()
            .map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec())),
    };
    pems.into_iter().flatten().map(stamp).collect()
}
