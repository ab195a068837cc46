//! From a file, or its text, to a [`Config`] or all mistakes.

use std::path::Path;

use super::tree::error::{ConfigErrors, LoadError};
use super::types::Config;
use super::{lines, read, tree, yaml};

impl Config {
    /// Reads and checks a file. Relative paths in it count from its directory.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = yaml::read(path).map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let dir = path.parent().unwrap_or(Path::new(""));
        Self::from_yaml_in(&text, dir).map_err(|mut errors| {
            lines::point_out(&text, &mut errors);
            let path = path.to_owned();
            LoadError::Invalid { path, errors }
        })
    }

    /// Relative paths stay as they are.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigErrors> {
        Self::from_yaml_in(text, Path::new(""))
    }

    /// Relative paths count from `dir`.
    pub fn from_yaml_in(text: &str, dir: &Path) -> Result<Self, ConfigErrors> {
        tree::section::read_all(yaml::parse(text)?, |root| read::config(root, dir))
    }
}
