//! A lock directory that another user may write to.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::scene::{hot, ran, uuid};
use crate::common::guard::Guard;

const THEIRS: &str = "root's own, and no process id";

/// A guard of root once truncated the file that a link in the lock directory led to.
#[test]
fn nothing_that_a_name_in_the_lock_directory_leads_to_is_written_to() {
    for hard in [false, true] {
        let machine = hot();
        let lock = format!("lock/{}.lock", uuid(&machine));
        let mut guard = Guard::new(machine, 10, "");
        let theirs = guard.path("theirs");
        fs::write(&theirs, THEIRS).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(guard.path("lock")).unwrap();
        let planted = guard.path(&lock);
        if hard {
            fs::hard_link(&theirs, &planted).unwrap();
        } else {
            symlink(&theirs, &planted).unwrap();
        }
        // Only root can give it away; for anybody else it is its own that others may write to.
        let foreign = chown(guard.path("lock"), Some(12_345), None).is_ok();
        if !foreign {
            let open = fs::Permissions::from_mode(0o777);
            fs::set_permissions(guard.path("lock"), open).unwrap();
        }
        guard.start();
        assert_eq!(fs::read_to_string(&theirs).unwrap(), THEIRS, "hard: {hard}");
        guard.wait_throttled(0);
        let said = guard.logged(&["lock directory isn't the guard's alone", "--lock.dir"]);
        assert_eq!(said.len(), 1, "{}", guard.log());
        let (code, said) = ran(&mut guard.command("check"));
        assert!(code.is_some() && said.contains("chmod 0700"), "{said}");
        let (code, said) = ran(guard.command("restore").arg("--wait=0s"));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("refused: a guard"), "{said}");
        assert!(!said.contains(THEIRS), "{said}");
        guard.cool(0);
        assert_eq!(guard.stop(), Some(0));
        assert_eq!(fs::read_to_string(&theirs).unwrap(), THEIRS, "hard: {hard}");
    }
}
