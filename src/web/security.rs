//! The web config in force: its file is read again for each request and each new connection, as
//! the exporter-toolkit does it, and taken over as a whole or not at all.
//!
//! A file that became unusable is answered with 500 to readers until it is mended, so that it can
//! neither open what was closed nor go unnoticed. What was read before goes on for the rest:
//! certificates of connections, and what actuates, which has a gate of its own and must not be
//! shut off from alerts by a slip of the pen.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ring::digest::{SHA256, digest};
use thiserror::Error;
use tokio_rustls::rustls::ServerConfig;

use crate::config::{LoadError, yaml};
use crate::guard::Clock;

use super::basic_auth::NoRandomness;
use super::gate::Rules;
use super::look::Look;
use super::tls::{ClientCertificate, TlsError, TlsServer};
use super::webconfig::WebConfig;

/// Why a web config can't be used.
#[derive(Debug, Error)]
pub enum SecurityError {
    #[error(transparent)]
    File(#[from] LoadError),
    #[error("{}: tls_server_config: {source}", path.display())]
    Tls { path: PathBuf, source: TlsError },
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A listener speaks TLS or it doesn't, from its first connection to its last.
    #[error("{}: tls_server_config came or went: restart the guard for that", .0.display())]
    NeedsRestart(PathBuf),
}

/// Encryption and passwords of one service's listeners.
pub struct Security {
    /// `None`: no web config, so plain HTTP and open to every reader.
    path: Option<PathBuf>,
    clock: Clock,
    tls: Option<TlsServer>,
    rules: RwLock<InForce>,
    /// Of the text that was looked at last.
    seen: Mutex<Seen>,
    look: Look,
}

/// What readers are asked for now.
#[derive(Clone)]
pub(super) struct InForce {
    pub(super) rules: Arc<Rules>,
    /// Whether the file is as it was when `rules` were made of it.
    pub(super) usable: bool,
}

#[derive(Default)]
struct Seen {
    digest: Vec<u8>,
    complaint: Option<String>,
}

impl Security {
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
            look: Look::default(),
        })
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// What stands, without a look at the file.
    pub(super) fn held(&self) -> InForce {
        let rules = self.rules.read();
        rules.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For a reader's request: as the file is now.
    pub(super) async fn now(self: &Arc<Self>) -> InForce {
        self.look_again().await;
        self.held()
    }

    /// For a new connection: as file and certificates are now, if they can be used. `None`: plain.
    pub(super) async fn tls(self: &Arc<Self>) -> Option<Arc<ServerConfig>> {
        let tls = self.tls.as_ref()?;
        self.look_again().await;
        Some(tls.current())
    }

    /// Whether the web config admits this client.
    pub(super) fn admits(&self, client: Option<&ClientCertificate>) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.admits(client))
    }

    async fn look_again(self: &Arc<Self>) {
        let Some(path) = self.path.clone() else {
            return;
        };
        let security = Arc::clone(self);
        let look = move || {
            security.follow(&path);
            if let Some(tls) = &security.tls {
                tls.follow();
            }
        };
        self.look.take(look).await;
    }

    /// Takes over what the file says now, if it is another text than before. One that can't be used
    /// is tried again each time: what was missing may be a certificate.
    fn follow(&self, path: &Path) {
        let mut seen = self.seen();
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
                        "the web config can't be used: readers are answered 500 until it is mended, from the next request on"
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
        let mut held = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        *held = InForce {
            rules,
            usable: true,
        };
        Ok(())
    }

    fn spoil(&self) {
        let mut held = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        held.usable = false;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn_of(config: &WebConfig) {
    for warning in &config.warnings {
        tracing::warn!(
            warning,
            "the web config of --web.config.file is taken, but not as it stands there"
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
