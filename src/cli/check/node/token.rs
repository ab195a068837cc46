//! The hook's token. `serve`'s own loader judges the file, so the two can't disagree about it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::cli::check::finding::Finding;
use crate::cli::flags::Flags;
use crate::config::Config;
use crate::disk;
use crate::web::access::token_file::{self, FILE_NAME, Kept, TokenError};

use super::permission::AS_ROOT;

const CHECK: &str = "hook token";

/// For the disk that the file is on.
const PATIENCE: Duration = Duration::from_secs(2);

/// `may_make`: this user may write to the state directory.
pub(super) fn judge(flags: &Flags, config: &Config, may_make: bool) -> Finding {
    match &config.hook.bearer_token_file {
        Some(path) => of_file(path, Kept::ByTheOperator),
        None => of_guard(flags, may_make),
    }
}

/// The token that the guard makes itself.
fn of_guard(flags: &Flags, may_make: bool) -> Finding {
    let path = flags.state_dir().join(FILE_NAME);
    let its = path.clone();
    // A link that leads nowhere is there, and is refused.
    let there = disk::patiently(&path, PATIENCE, move || fs::symlink_metadata(&its)).flatten();
    if !there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return of_file(&path, Kept::ByTheGuard);
    }
    let detail = format!("{} will be made with the first start", path.display());
    if flags.simulate || may_make {
        Finding::ok(CHECK, detail)
    } else {
        Finding::warn(CHECK, detail, AS_ROOT)
    }
}

fn of_file(path: &Path, kept: Kept) -> Finding {
    match token_file::read_patiently(path, kept) {
        Ok(_) => readable_by(path),
        Err(error) if is_denied(&error) => Finding::warn(CHECK, error.to_string(), AS_ROOT),
        Err(error) => Finding::fail(CHECK, error.to_string(), remedy(kept)),
    }
}

/// An ordinary user should not be able to read it.
fn is_denied(error: &TokenError) -> bool {
    matches!(error, TokenError::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
}

const fn remedy(kept: Kept) -> &'static str {
    match kept {
        Kept::ByTheOperator => {
            "correct the file, or leave hook.bearer_token_file out: `serve` doesn't start with it"
        }
        Kept::ByTheGuard => {
            "correct or remove the file (the next start makes another): nothing can be actuated over HTTP with it"
        }
    }
}

fn readable_by(path: &Path) -> Finding {
    let shown = path.display();
    let its = path.to_owned();
    let metadata = disk::patiently(path, PATIENCE, move || fs::metadata(its)).flatten();
    let permissions = metadata.map(|metadata| metadata.permissions());
    if permissions.is_ok_and(|it: Permissions| it.mode() & 0o004 != 0) {
        let detail = format!("{shown} can be read by everybody on this node");
        return Finding::warn(CHECK, detail, format!("chmod o-r {shown}"));
    }
    Finding::ok(CHECK, format!("{shown}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::check::finding::Status;
    use crate::web::access::actuators::Tokens;

    /// Contents around the edges of what is a token, and files of none, one, two and three.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![0..4usize, 30..35usize, 510..515usize];
        let fit = length.prop_map(|length| "x".repeat(length).into_bytes());
        let odd = prop::collection::vec(any::<u8>(), 0..40);
        let line = prop_oneof![4 => fit, 1 => odd];
        prop::collection::vec(line, 0..4).prop_map(|lines| lines.join(&b'\n'))
    }

    proptest! {
        #[test]
        fn check_and_serve_never_disagree_about_a_token_file(
            content in content(),
            mode in 0..0o1000u32,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(FILE_NAME);
            fs::write(&path, &content).unwrap();
            // The owner reads it: an unreadable file is judged by nobody but root.
            fs::set_permissions(&path, Permissions::from_mode(mode | 0o400)).unwrap();
            let fails = |kept| of_file(&path, kept).status == Status::Fail;
            let served = Tokens::from_file(path.clone()).map(drop);
            prop_assert_eq!(fails(Kept::ByTheOperator), served.is_err());
            prop_assert_eq!(fails(Kept::ByTheGuard), !Tokens::in_state_dir(dir.path()).is_available());
            if let Err(error) = served {
                prop_assert_eq!(of_file(&path, Kept::ByTheOperator).detail, error.to_string());
            }
        }
    }

    #[test]
    fn what_an_earlier_check_let_pass_fails_with_the_text_of_serve() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (content, mode, status, word) in [
            ("secret", 0o600, Status::Fail, "openssl rand -hex 32"),
            (&*"x".repeat(32), 0o622, Status::Fail, "chmod o-w"),
            (&*"x".repeat(32), 0o666, Status::Fail, "chmod o-w"),
            (&*"x".repeat(32), 0o644, Status::Warn, "everybody"),
            (&*"x".repeat(32), 0o600, Status::Ok, "token"),
        ] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let finding = of_file(&path, Kept::ByTheOperator);
            assert_eq!(finding.status, status, "{mode:o}: {finding:?}");
            assert!(finding.detail.contains(word), "{mode:o}: {finding:?}");
        }
    }
}
