//! The guard's login at an Alertmanager or a Prometheus. Secrets stay in their files.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::credential;

/// How the guard says who it is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Login {
    #[default]
    None,
    Bearer {
        token_file: PathBuf,
    },
    Basic {
        username: String,
        password_file: PathBuf,
    },
}

impl Login {
    /// The header `Authorization`; an error tells which file can't be read.
    pub(crate) fn header(&self) -> Result<Option<String>, (PathBuf, io::Error)> {
        let line = |path: &Path| credential::line(path).map_err(|why| (path.to_owned(), why));
        match self {
            Self::None => Ok(None),
            Self::Bearer { token_file } => Ok(Some(format!("Bearer {}", line(token_file)?))),
            Self::Basic {
                username,
                password_file,
            } => {
                let pair = format!("{username}:{}", line(password_file)?);
                Ok(Some(format!("Basic {}", STANDARD.encode(pair))))
            }
        }
    }
}
