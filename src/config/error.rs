//! What is wrong with a configuration file, said so that the next edit can be the last.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::shown::Manners;

/// One mistake: where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Full path of the key, such as `apps[0].http.url`; empty for the file as a whole.
    pub path: String,
    pub problem: String,
    /// The values or the range that would be accepted.
    pub accepted: Option<String>,
    /// Where in the file, as far as that can be told.
    pub line: Option<u64>,
    /// Where in `path` a key of the file's own begins, which nobody knows.
    pub(crate) strange_from: Option<usize>,
    pub(crate) manners: Manners,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            let known = self.strange_from.unwrap_or(self.path.len());
            let (known, strange) = self
                .path
                .split_at_checked(known)
                .unwrap_or((&self.path, ""));
            write!(f, "{known}{}: ", self.manners.key(strange))?;
        }
        self.manners.write(f, &self.problem)?;
        if let Some(accepted) = &self.accepted {
            write!(f, "; accepted: {accepted}")?;
        }
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

/// All mistakes of one file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// A mistake that kept everything else from being looked at.
    pub(crate) fn whole(problem: impl Into<String>) -> Self {
        Self(vec![ConfigError {
            path: String::new(),
            problem: problem.into(),
            accepted: None,
            line: None,
            strange_from: None,
            manners: Manners::default(),
        }])
    }

    /// What is in the file is nobody's business.
    pub(crate) fn discreet(mut self) -> Self {
        for error in &mut self.0 {
            error.manners = Manners::Discreet;
        }
        self
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Why a configuration file can't be used.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// One line per mistake.
    #[error("{} is not valid:\n{errors}", path.display())]
    Invalid { path: PathBuf, errors: ConfigErrors },
}
