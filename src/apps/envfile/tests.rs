//! Claims about environment files on a disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::config::EnvFileConfig;

use super::read::version;
use super::{EnvFileError, take};

fn set(path: &Path, key: &str, value: &str) -> Result<bool, EnvFileError> {
    let (key, value) = (key.to_owned(), value.to_owned());
    let config = EnvFileConfig {
        path: path.to_owned(),
        key,
        normal: "4".to_owned(),
        gradual: value.clone(),
        emergency: value.clone(),
    };
    let (edit, _) = take(&config, &value, None)?;
    edit.carry_out().map(|done| done.written)
}

#[test]
fn mode_and_link_survive_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("real.env");
    fs::write(&file, "A=1\nK=4\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let link = dir.path().join("link.env");
    symlink("real.env", &link).unwrap();
    assert!(set(&link, "K", "1").unwrap());
    assert_eq!(fs::read_to_string(&file).unwrap(), "A=1\nK=1\n");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_right_value_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.env");
    fs::write(&file, "K=1\n").unwrap();
    let before = version(&fs::metadata(&file).unwrap());
    let leftover = dir.path().join(".x.env.thermal-guard");
    fs::write(&leftover, "of a killed guard").unwrap();
    assert!(!set(&file, "K", "1").unwrap());
    assert_eq!(version(&fs::metadata(&file).unwrap()), before);
    assert!(!leftover.exists());
}

#[test]
fn a_missing_file_is_not_created_and_a_directory_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.env");
    assert!(matches!(
        set(&path, "K", "1"),
        Err(EnvFileError::Missing(_))
    ));
    assert!(!path.exists());
    let error = set(dir.path(), "K", "1").unwrap_err();
    assert!(matches!(error, EnvFileError::NotAFile(_)));
}

#[test]
fn a_link_planted_by_somebody_else_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("real.env");
    fs::write(&file, "K=4\n").unwrap();
    let link = dir.path().join("link.env");
    symlink(&file, &link).unwrap();
    // Root plays the other user; anybody else is one to root's own files.
    if std::os::unix::fs::lchown(&link, Some(12_345), None).is_err() {
        fs::remove_file(&link).unwrap();
        symlink("/etc/passwd", &link).unwrap();
    }
    let error = set(&link, "K", "1").unwrap_err();
    assert!(matches!(error, EnvFileError::ForeignLink(_)), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "K=4\n");
}
