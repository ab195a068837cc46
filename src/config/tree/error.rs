//! Mistakes in a configuration file, with enough detail that one more edit can fix them all.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::shown::Manners;

/// One mistake: its place, the problem, and the accepted values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Full path of the key, such as `apps[0].http.url`; empty for the file as a whole.
    pub path: String,
    pub problem: String,
    /// The values or the range that would be accepted.
    pub accepted: Option<String>,
    /// The line in the file, if known.
    pub line: Option<u64>,
    /// The offset in `path` at which an unknown key of the file begins.
    pub(crate) strange_from: Option<usize>,
    pub(crate) manners: Manners,
}

impl ConfigError {
    /// The path, as far as a message may repeat it.
    pub(crate) fn key(&self) -> String {
        let known = self.strange_from.unwrap_or(self.path.len());
        let (known, strange) = self
            .path
            .split_at_checked(known)
            .unwrap_or((&self.path, ""));
        let strange = match strange {
            "" => String::new(),
            strange => self.manners.key(strange),
        };
        format!("{known}{strange}")
    }

    /// The problem, as far as a message may repeat it.
    pub(crate) fn described(&self) -> String {
        struct Described<'a>(&'a ConfigError);
        impl fmt::Display for Described<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.manners.write(f, &self.0.problem)
            }
        }
        Described(self).to_string()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.key())?;
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
    /// A mistake because of which nothing else could be checked.
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

    /// Messages repeat less of this file: it holds secrets.
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
