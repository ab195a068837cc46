//! Files that a command writes where an operator says. It replaces only those that it wrote itself: a slip
//! of the finger must not cost a configuration.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};

use crate::disk::{self, atomic_file};

/// A file to write.
pub(super) struct OwnFile<'a> {
    /// The flag that names it.
    pub(super) flag: &'static str,
    pub(super) path: &'a Path,
    /// What the command calls such a file.
    pub(super) kind: &'static str,
    /// Each file of this kind begins with this.
    pub(super) begins: &'static str,
}

impl OwnFile<'_> {
    /// Refuses a path that can't be written, before the work.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let (named, kind) = (self.named(), self.kind);
        match disk::open(self.path) {
            Ok((file, _)) => {
                if !self.is_ours(file) {
                    bail!(
                        "{named} is there already and is no {kind} of this command; name another file"
                    );
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let dir = self.path.parent();
                let dir = dir.filter(|dir| !dir.as_os_str().is_empty());
                if dir.is_some_and(|dir| !dir.is_dir()) {
                    bail!("{named}: its directory isn't there");
                }
                Ok(())
            }
            Err(error) => Err(error).with_context(|| format!("{named} can't be replaced")),
        }
    }

    pub(super) fn write(&self, text: &str) -> anyhow::Result<()> {
        let named = self.named();
        let failed =
            || format!("{named} can't be written; wanted: a file in a directory that is there");
        // A file that came up meanwhile isn't ours.
        self.check()?;
        let new = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.path);
        match new {
            Ok(mut file) => file.write_all(text.as_bytes()).with_context(failed),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let like = fs::metadata(self.path).ok();
                atomic_file::replace(self.path, text.as_bytes(), like.as_ref()).with_context(failed)
            }
            Err(error) => Err(error).with_context(failed),
        }
    }

    fn named(&self) -> String {
        format!("{}={}", self.flag, self.path.display())
    }

    fn is_ours(&self, file: File) -> bool {
        let mut begins = Vec::new();
        let length = self.begins.len() as u64;
        let read = file.take(length).read_to_end(&mut begins);
        read.is_ok() && begins == self.begins.as_bytes()
    }
}
