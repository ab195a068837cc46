//! The web config in force. As in the exporter-toolkit, its file is read again for each request and each
//! new connection, and applied as a whole or not at all.
//!
//! While the file is unusable, readers are answered 500: so a mistake neither opens what was closed nor
//! goes unnoticed. Everything else goes on with the last good contents: the certificates of
//! connections, and the paths that actuate, which have a gate of their own and must stay open to alerts
//! in spite of a typing mistake.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use ring::digest::{SHA256, digest};
use thiserror::Error;
use tokio_rustls::rustls::ServerConfig;

use crate::clock::Clock;
use crate::config::{LoadError, yaml};

use super::basic_auth::NoRandomness;
use super::webconfig::WebConfig;
use crate::web::access::file_check::FileCheck;
use crate::web::access::rules::Rules;
use crate::web::http::peer::ClientCertificate;
use crate::web::http::tls::{TlsError, TlsServer};

/// Why a web config can't be used.
#[derive(Debug, Error)]
pub enum SecurityError {
    #[error(transparent)]
    File(#[from] LoadError),
    #[error("{}: tls_server_config: {source}", path.display())]
    Tls { path: PathBuf, source: TlsError },
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A listener can't begin or stop to use TLS while it runs.
    #[error("{}: tls_server_config came or went: restart the guard for that", .0.display())]
    NeedsRestart(PathBuf),
}

/// Encryption and passwords of one service's listeners.
pub struct LiveWebConfig {
    /// `None`: no web config, so plain HTTP and open to every reader.
    path: Option<PathBuf>,
    clock: Clock,
    tls: Option<TlsServer>,
    rules: RwLock<InForce>,
    /// The text that was read last.
    seen: Mutex<Seen>,
    check: FileCheck,
}

/// The rules for readers now.
#[derive(Clone)]
pub(crate) struct InForce {
    pub(crate) rules: Arc<Rules>,
    /// False: the file has become unusable since `rules` were read from it.
    pub(crate) usable: bool,
}

#[derive(Default)]
struct Seen {
    digest: Vec<u8>,
    complaint: Option<String>,
}

impl LiveWebConfig {
    /// Reads the file and its certificates. Blocks.
    pub fn load(path: Option<&Path>, clock: Clock) -> Result<Self, SecurityError> {
        let (config, digest) = match path {
            Some(path) => read(path)?,
            None => (WebConfig::default(), Vec::new()),
        };
        warn_of(&config);
        let rules = Arc::new(Rules::new(&config)?);
        let tls = config.tls.map(TlsServer::new).transpose();
        let tls = tls.map_err(|source| SecurityError::Tls {
            path: path.unwrap_or(Path::new("")).to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.map(Path::to_owned),
            clock,
            tls,
            rules: RwLock::new(InForce {
                rules,
                usable: true,
            }),
            seen: Mutex::new(Seen {
                digest,
                complaint: None,
            }),
            check: FileCheck::default(),
        })
    }

    pub(crate) const fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// The rules in force, without a check of the file.
    pub(crate) fn held(&self) -> InForce {
        self.rules.read().clone()
    }

    /// For a reader's request: checks the file first.
    pub(crate) async fn now(self: &Arc<Self>) -> InForce {
        self.check_files().await;
        self.held()
    }

    /// For a new connection: checks the file and the certificates first. `None`: no TLS.
    pub(crate) async fn tls(self: &Arc<Self>) -> Option<Arc<ServerConfig>> {
        let tls = self.tls.as_ref()?;
        self.check_files().await;
        Some(tls.current())
    }

    /// Whether the web config admits this client.
    pub(crate) fn admits(&self, client: Option<&ClientCertificate>) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.admits(client))
    }

    async fn check_files(self: &Arc<Self>) {
        let Some(path) = self.path.clone() else {
            return;
        };
        let security = Arc::clone(self);
        let check = move || {
            security.follow(&path);
            if let Some(tls) = &security.tls {
                tls.follow();
            }
        };
        self.check.run(check).await;
    }

    /// Applies the file if its text has changed. An unusable file is tried again each time: a missing
    /// certificate may have come.
    fn follow(&self, path: &Path) {
        let mut seen = self.seen.lock();
        let result = match read_text(path) {
            Ok(text) if seen.complaint.is_none() && seen.digest == digest_of(&text) => return,
            Ok(text) => {
                seen.digest = digest_of(&text);
                parse(&text, path).and_then(|config| self.take_over(path, config))
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => {
                tracing::info!(path = %path.display(), "web config read again");
                seen.complaint = None;
            }
            Err(error) => {
                self.spoil();
                let complaint = error.to_string();
                if seen.complaint.as_ref() != Some(&complaint) {
                    tracing::error!(
                        error = complaint,
                        "the web config can't be used: readers are answered 500 until it is corrected, from the next request on"
                    );
                    seen.complaint = Some(complaint);
                }
            }
        }
    }

    fn take_over(&self, path: &Path, config: WebConfig) -> Result<(), SecurityError> {
        let rules = Arc::new(Rules::new(&config)?);
        warn_of(&config);
        match (&self.tls, config.tls) {
            (None, None) => {}
            (Some(tls), Some(settings)) => {
                tls.replace(settings).map_err(|source| SecurityError::Tls {
                    path: path.to_owned(),
                    source,
                })?;
            }
            _ => return Err(SecurityError::NeedsRestart(path.to_owned())),
        }
        *self.rules.write() = InForce {
            rules,
            usable: true,
        };
        Ok(())
    }

    fn spoil(&self) {
        self.rules.write().usable = false;
    }
}

fn warn_of(config: &WebConfig) {
    for warning in &config.warnings {
        tracing::warn!(
            warning,
            "the web config of --web.config.file is applied, but not exactly as written"
        );
    }
}

fn read(path: &Path) -> Result<(WebConfig, Vec<u8>), SecurityError> {
    let text = read_text(path)?;
    Ok((parse(&text, path)?, digest_of(&text)))
}

fn read_text(path: &Path) -> Result<String, SecurityError> {
    let text = yaml::read(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    });
    Ok(text?)
}

fn parse(text: &str, path: &Path) -> Result<WebConfig, SecurityError> {
    Ok(WebConfig::from_text(text, path)?)
}

/// Kept instead of the text, which may hold a key.
fn digest_of(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}
