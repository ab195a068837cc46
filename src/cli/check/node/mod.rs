//! Checks of the node: privileges, directories, token, other guards, and journals that dead guards
//! left.

pub(crate) mod name;
mod permission;
mod token;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};

use crate::config::{Config, Mode};
use crate::disk;
use crate::disk::gpu_lock;
use crate::guard::actuate::journal;
use crate::guard::actuate::journal::{JournalDirs, JournalError};
use crate::web::access::webconfig::WebConfig;
use crate::web::http::tls::TlsServer;

use crate::cli::check::finding::Finding;
use crate::cli::flags::Flags;
use permission::{AS_ROOT, Privileges};

/// For the disk that a directory or a file is on.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn all(flags: &Flags, config: &Config) -> Vec<Finding> {
    let privileges = Privileges::own();
    let writes = config.mode == Mode::Enforce && !flags.simulate;
    let mut findings = vec![permission::judge(flags, config, &privileges)];
    if writes {
        let matters = privileges.may_actuate();
        let state_dir = flags.state_dir();
        findings.push(directory("state dir", "--state.dir", &state_dir, matters));
        findings.push(directory(
            "lock dir",
            "--lock.dir",
            &flags.lock_dir,
            matters,
        ));
        findings.extend(shared_lock_dir(&flags.lock_dir));
        findings.extend(left_behind(&flags.journal_dirs(), &flags.lock_dir));
    }
    findings.push(token::judge(flags, config, may_write(&flags.state_dir())));
    findings.extend(web_config(flags));
    findings
}

/// Tests the directory by creating and removing a file. Without a writable state directory, nothing can
/// be restored after a crash; without a lock, no GPU is changed.
fn directory(check: &'static str, flag: &str, path: &Path, matters: bool) -> Finding {
    let its = path.to_owned();
    let result = disk::patiently(path, PATIENCE, move || {
        let there = existing(&its);
        let probe = there.join(format!(".thermal-guard-check-{}", std::process::id()));
        let result = File::create_new(&probe).and_then(|_| fs::remove_file(&probe));
        (there, result)
    });
    let (there, result) = result.unwrap_or_else(|error| (path.to_owned(), Err(error)));
    let shown = path.display();
    match result {
        Ok(()) if there == path => Finding::ok(check, format!("{shown} is writable")),
        Ok(()) => Finding::ok(check, format!("{shown} will be made")),
        Err(error) => {
            let detail = format!("{} can't be written to ({error})", there.display());
            if !matters && error.kind() == io::ErrorKind::PermissionDenied {
                return Finding::warn(check, detail, AS_ROOT);
            }
            let remedy = format!("make it writable for the guard, or choose another with {flag}");
            if matters {
                Finding::fail(check, detail, remedy)
            } else {
                Finding::warn(check, detail, remedy)
            }
        }
    }
}

/// By this user, in the directory or in the one where it would be made.
fn may_write(directory: &Path) -> bool {
    let its = directory.to_owned();
    let asked = disk::patiently(directory, PATIENCE, move || {
        access(existing(&its), Access::WRITE_OK)
    });
    asked.is_ok_and(|may| may.is_ok())
}

/// The path, or its first parent that exists.
fn existing(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|ancestor| ancestor.exists());
    match there {
        Some(there) if !there.as_os_str().is_empty() => there.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Another user with write access can hold a GPU's lock.
fn shared_lock_dir(lock_dir: &Path) -> Option<Finding> {
    let its = lock_dir.to_owned();
    let metadata = disk::patiently(lock_dir, PATIENCE, move || fs::metadata(its));
    let trouble = gpu_lock::trouble_with(&metadata.flatten().ok()?)?;
    Some(Finding::warn(
        "lock dir",
        format!("{}: {trouble}", lock_dir.display()),
        "chown it to the guard's user and chmod 0700 it, or choose another with --lock.dir",
    ))
}

fn left_behind(dirs: &JournalDirs, lock_dir: &Path) -> Vec<Finding> {
    const CHECK: &str = "journal";
    let running = gpu_lock::held(lock_dir);
    let (entries, errors) = journal::load_all(dirs);
    let unreadable = errors.into_iter().map(|error| {
        let remedy = match &error {
            error if error.is_denied() => AS_ROOT,
            JournalError::SetAside { .. } => {
                "compare the GPU's limit with its default (nvidia-smi -q -d POWER), set it by hand (nvidia-smi -pl), and then remove the file"
            }
            _ => {
                "it may be the only record of a limit that is to be given back: keep a copy, compare the GPU's limit with its default (nvidia-smi -q -d POWER), and set it by hand (nvidia-smi -pl)"
            }
        };
        Finding::warn(CHECK, error.to_string(), remedy)
    });
    let left = entries
        .into_iter()
        // Not those of a running guard.
        .filter(|entry| running.iter().all(|held| held.uuid != entry.uuid))
        .map(|entry| {
            Finding::warn(
                CHECK,
                format!("a dead guard left {} throttled", entry.uuid),
                "restore it with `thermal-guard restore`, or start `serve`, which takes it over",
            )
        });
    unreadable.chain(left).collect()
}

/// The web config, if there is one.
fn web_config(flags: &Flags) -> Option<Finding> {
    const CHECK: &str = "web config";
    let path = flags.web_config_file.as_deref()?;
    let remedy = "correct the file: `serve` doesn't start with it";
    let its = path.to_owned();
    let loaded = disk::patiently(path, PATIENCE, move || {
        let config = WebConfig::load(&its).map_err(|error| error.to_string())?;
        let tls = config.tls.clone().map(TlsServer::new).transpose();
        tls.map_err(|error| error.to_string())?;
        Ok(config)
    });
    let loaded = loaded.unwrap_or_else(|error| Err(error.to_string()));
    Some(match loaded {
        Err(error) => Finding::fail(CHECK, error, remedy),
        Ok(config) => match config.warnings.first().cloned() {
            Some(warning) => Finding::warn(CHECK, warning, "see the warning"),
            None => Finding::ok(CHECK, format!("{}", path.display())),
        },
    })
}
