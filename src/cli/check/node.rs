//! What isn't about a GPU: privileges, directories, token, other guards and what dead ones left.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Config, Mode};
use crate::files;
use crate::guard::journal;
use crate::guard::lock;
use crate::web::tls::TlsServer;
use crate::web::webconfig::WebConfig;

use super::permission::{self, Privileges};
use super::{Finding, Flags};

/// What isn't this user's says nothing about the guard.
const AS_ROOT: &str = "run this check as the guard's user, which is root for the service";

/// For the disk that a directory or a file is on.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn all(flags: &Flags, config: &Config) -> Vec<Finding> {
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
        findings.extend(left_behind(&state_dir, &flags.lock_dir));
    }
    findings.push(token(flags, config));
    findings.extend(web_config(flags));
    findings
}

/// Proven by a file that comes and goes. Without a writable state directory nothing is given back
/// after a crash, without a lock no GPU is touched.
fn directory(check: &'static str, flag: &str, path: &Path, matters: bool) -> Finding {
    let its = path.to_owned();
    let result = files::patiently(path, PATIENCE, move || {
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

/// The path or, of those above it, the first that is there.
fn existing(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|ancestor| ancestor.exists());
    match there {
        Some(there) if !there.as_os_str().is_empty() => there.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whoever else may write to it can hold a GPU's lock.
fn shared_lock_dir(lock_dir: &Path) -> Option<Finding> {
    let its = lock_dir.to_owned();
    let metadata = files::patiently(lock_dir, PATIENCE, move || fs::metadata(its));
    let trouble = lock::trouble_with(&metadata.flatten().ok()?)?;
    Some(Finding::warn(
        "lock dir",
        format!("{}: {trouble}", lock_dir.display()),
        "chown it to the guard's user and chmod 0700 it, or choose another with --lock.dir",
    ))
}

fn left_behind(state_dir: &Path, lock_dir: &Path) -> Vec<Finding> {
    const CHECK: &str = "journal";
    let running = lock::held(lock_dir);
    let (entries, errors) = journal::load_all(state_dir);
    let unreadable = errors.into_iter().map(|error| {
        let remedy = if error.is_denied() {
            AS_ROOT
        } else {
            "it may be the only record of a limit that is to be given back: keep a copy, compare the GPU's limit with its default (nvidia-smi -q -d POWER), and set it by hand (nvidia-smi -pl)"
        };
        Finding::warn(CHECK, error.to_string(), remedy)
    });
    let left = entries
        .into_iter()
        // A running guard's own.
        .filter(|entry| running.iter().all(|held| held.uuid != entry.uuid))
        .map(|entry| {
            Finding::warn(
                CHECK,
                format!("a dead guard left {} throttled", entry.uuid),
                "give it back with `thermal-guard restore`, or start `serve`, which goes on with it",
            )
        });
    unreadable.chain(left).collect()
}

/// The listeners' file, if there is one.
fn web_config(flags: &Flags) -> Option<Finding> {
    const CHECK: &str = "web config";
    let path = flags.web_config_file.as_deref()?;
    let remedy = "correct the file: `serve` doesn't start with it";
    let its = path.to_owned();
    let loaded = files::patiently(path, PATIENCE, move || {
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

fn token(flags: &Flags, config: &Config) -> Finding {
    const CHECK: &str = "hook token";
    let configured = config.hook.bearer_token_file.clone();
    let path = configured.clone().unwrap_or_else(|| flags.token_file());
    let shown = path.display();
    let its = path.clone();
    let opened = files::patiently(&path, PATIENCE, move || files::open(&its));
    match opened.flatten().map(|(_, metadata)| metadata) {
        Ok(metadata) => of_file(CHECK, &path, &metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound && configured.is_none() => {
            Finding::ok(CHECK, format!("{shown} will be made with the first start"))
        }
        // An ordinary user is not to read it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Finding::warn(CHECK, format!("{shown}: {error}"), AS_ROOT)
        }
        Err(error) => Finding::fail(
            CHECK,
            format!("{shown}: {error}"),
            "write a long random token to it, or leave hook.bearer_token_file out",
        ),
    }
}

fn of_file(check: &'static str, path: &Path, metadata: &Metadata) -> Finding {
    let shown = path.display();
    if metadata.len() == 0 {
        let remedy = "write a long random token to it, or remove it";
        return Finding::fail(check, format!("{shown} is empty"), remedy);
    }
    if metadata.permissions().mode() & 0o004 != 0 {
        let detail = format!("{shown} can be read by everybody on this node");
        return Finding::warn(check, detail, format!("chmod o-r {shown}"));
    }
    Finding::ok(check, format!("{shown}"))
}
