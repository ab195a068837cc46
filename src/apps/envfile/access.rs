//! Checks in advance whether a file could be edited from here: a service sees less of the disk than the
//! person who configures it. Changes nothing and leaves nothing behind.

use std::io;
use std::path::Path;

use crate::config::EnvFileConfig;
use crate::disk::atomic_file::could_replace;

use super::error::EnvFileError;
use super::read::{read_regular, target_of};
use super::scan::Refusal;
use super::{edit, mounts};

/// The error that an edit would meet, as far as that can be told without one.
pub fn could_edit(config: &EnvFileConfig) -> Result<(), EnvFileError> {
    let target = target_of(&config.path)?;
    let (text, metadata) = read_regular(&target)?;
    let unclear = |Refusal { line, why }| EnvFileError::Unclear {
        path: target.clone(),
        key: config.key.clone(),
        line,
        why,
    };
    edit::take(&text, config, &config.emergency, None).map_err(unclear)?;
    if mounts::is_point(&target) {
        return Err(EnvFileError::MountPoint(target));
    }
    could_replace(&target, &metadata).map_err(|source| match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => EnvFileError::ReadOnly(target),
        _ => EnvFileError::Io {
            path: target,
            source,
        },
    })
}

/// The option of a unit that hides such a path from its service, if it is set.
pub fn hidden_by(path: &Path) -> Option<&'static str> {
    let under = |roots: &[&str]| roots.iter().any(|root| path.starts_with(root));
    if under(&["/home", "/root", "/run/user"]) {
        Some("ProtectHome")
    } else if under(&["/tmp", "/var/tmp"]) {
        Some("PrivateTmp")
    } else {
        None
    }
}

/// The settings that a service needs to write `path`, or (`hidden`) even to see it.
pub fn drop_in(path: &Path, hidden: Option<&str>) -> String {
    let directory = path.parent().unwrap_or(path).display();
    let seen = hidden.map_or_else(String::new, |option| format!("{option}=no and "));
    format!(
        "`systemctl edit thermal-guard`, under [Service] {seen}ReadWritePaths={directory}, then `systemctl restart thermal-guard`"
    )
}

/// The remedy for a guard that can't edit `path`.
pub fn remedy(path: &Path, error: &EnvFileError) -> String {
    let hidden = hidden_by(path);
    match (error, hidden) {
        (EnvFileError::ReadOnly(_), hidden) => drop_in(path, hidden),
        (EnvFileError::Missing(_), Some(option)) => format!(
            "correct env_file.path; if the file is there, the service's {option}= hides it: {}",
            drop_in(path, hidden)
        ),
        (EnvFileError::Missing(_) | EnvFileError::NotAFile(_), _) => {
            "correct env_file.path: the guard never makes that file".to_owned()
        }
        (EnvFileError::ForeignLink(_), _) => {
            "let the link's owner own the file, too, or name the file".to_owned()
        }
        (EnvFileError::Unclear { .. }, _) => {
            "write that line so that every reader takes it alike".to_owned()
        }
        (EnvFileError::MountPoint(_), _) => "mount its directory instead".to_owned(),
        (EnvFileError::Raced(_), _) => "try again".to_owned(),
        (EnvFileError::Io { .. }, _) => {
            "let the guard's user read the file, write in its directory and keep its owner (CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN)".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn config(path: PathBuf) -> EnvFileConfig {
        EnvFileConfig {
            path,
            key: "K".to_owned(),
            normal: "4".to_owned(),
            gradual: "1".to_owned(),
            emergency: "1".to_owned(),
        }
    }

    #[test]
    fn a_look_changes_nothing_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.env");
        fs::write(&file, "K=4\n").unwrap();
        let modified = || fs::metadata(dir.path()).unwrap().modified().unwrap();
        let before = modified();
        could_edit(&config(file.clone())).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "K=4\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(modified(), before, "not even for a moment");
    }

    #[test]
    fn what_would_fail_is_told_with_what_helps() {
        let dir = tempfile::tempdir().unwrap();
        let missing = could_edit(&config(dir.path().join("app.env"))).unwrap_err();
        assert!(matches!(missing, EnvFileError::Missing(_)), "{missing}");
        // The kernel's own file system accepts no new files.
        let kernels = could_edit(&config("/proc/sys/kernel/hostname".into())).unwrap_err();
        assert!(!matches!(kernels, EnvFileError::Missing(_)), "{kernels}");
        let path = Path::new("/srv/app/run.env");
        let remedy = remedy(path, &EnvFileError::ReadOnly(path.to_owned()));
        assert!(remedy.contains("ReadWritePaths=/srv/app,"), "{remedy}");
        assert!(!remedy.contains("ProtectHome"), "{remedy}");
    }

    #[test]
    fn what_hides_a_path_is_named() {
        for (path, option) in [
            ("/home/a/run.env", Some("ProtectHome")),
            ("/root/run.env", Some("ProtectHome")),
            ("/run/user/1000/x", Some("ProtectHome")),
            ("/var/tmp/x", Some("PrivateTmp")),
            ("/homework/x", None),
            ("/srv/x", None),
        ] {
            assert_eq!(hidden_by(Path::new(path)), option, "{path}");
        }
        let path = Path::new("/home/a/run.env");
        let remedy = remedy(path, &EnvFileError::Missing(path.to_owned()));
        assert!(remedy.contains("ProtectHome=no and ReadWritePaths=/home/a"));
    }
}
