//! Claims about files that aren't what they should be.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use tempfile::TempDir;

use super::*;
use crate::disk::{Dir, is_late, patiently};

/// One of each kind that is no regular file, and what it is called.
fn others(dir: &TempDir) -> Vec<(PathBuf, &'static str)> {
    let at = |name: &str| dir.path().join(name);
    mkfifoat(CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    // Its end outlives the name.
    drop(UnixListener::bind(at("socket")).unwrap());
    fs::create_dir(at("folder")).unwrap();
    vec![
        (at("pipe"), "a named pipe"),
        (at("socket"), "a socket"),
        (at("folder"), "a directory"),
        ("/dev/zero".into(), "a device"),
        ("/dev/tty".into(), "a device"),
    ]
}

#[test]
fn what_is_no_file_is_refused_by_name_and_with_a_remedy() {
    let dir = TempDir::new().unwrap();
    for (path, kind) in others(&dir) {
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        for path in [&path, &link] {
            let error = read(path, 10).unwrap_err();
            assert!(NotAFile::is_why(&error), "{error}");
            let said = error.to_string();
            assert!(said.contains(kind) && said.contains("put one"), "{said}");
        }
        fs::remove_file(link).unwrap();
    }
}

#[test]
fn a_size_is_a_bound_and_not_a_cut() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "0123456789").unwrap();
    assert_eq!(read(&path, 10).unwrap(), b"0123456789");
    let error = read(&path, 9).unwrap_err().to_string();
    assert!(error.contains("longer than 9 bytes"), "{error}");
    // Of the kernel's making: regular, without a length, and as long as one likes.
    assert!(read(Path::new("/proc/self/maps"), 10).is_err());
    fs::write(&path, b"secret\xff").unwrap();
    let error = read_text(&path, 10).unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn in_a_directory_of_ours_no_link_is_followed() {
    let dir = TempDir::new().unwrap();
    let theirs = dir.path().join("theirs");
    fs::write(&theirs, "theirs").unwrap();
    let way = dir.path().join("way");
    let ours = dir.path().join("ours");
    fs::create_dir(&ours).unwrap();
    symlink("ours", &way).unwrap();
    symlink(&theirs, ours.join("link")).unwrap();
    symlink(dir.path(), ours.join("folder")).unwrap();
    mkfifoat(CWD, ours.join("pipe"), Mode::RUSR | Mode::WUSR).unwrap();

    let opened = Dir::open(&way).expect("the way to it may be a link");
    for name in ["link", "pipe", "folder"] {
        let error = opened.read(OsStr::new(name), 10).unwrap_err();
        assert!(NotAFile::is_why(&error), "{name}: {error}");
        let writing = opened.file(OsStr::new(name), OFlags::WRONLY, Mode::empty());
        let error = writing.unwrap_err();
        assert!(NotAFile::is_why(&error), "{name}: {error}");
    }
    assert!(opened.within("folder").is_err() && opened.make_within("folder").is_err());
    assert!(opened.create_new(OsStr::new("link")).is_err());
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "theirs");

    fs::rename(&ours, dir.path().join("moved")).unwrap();
    fs::create_dir(&ours).unwrap();
    drop(opened.create_new(OsStr::new("new")).unwrap());
    assert!(dir.path().join("moved/new").exists(), "what was looked at");
}

#[test]
fn a_disk_that_hangs_costs_one_thread_and_the_patience_once() {
    let path = Path::new("/hung");
    let short = Duration::from_millis(10);
    let (end, ended) = mpsc::channel::<()>();
    let late = patiently(path, short, move || {
        let _ = ended.recv();
    });
    assert!(late.is_err_and(|error| is_late(&error)));
    // Much longer than the test may take: it isn't waited for, and isn't asked.
    let long = Duration::from_secs(3600);
    let again = patiently(path, long, || unreachable!("a second look"));
    assert!(again.is_err_and(|error| is_late(&error)));
    assert_eq!(patiently(Path::new("/other"), long, || 5).unwrap(), 5);
    drop(end);
    let mut back = Err(io::Error::other("not yet"));
    while back.is_err() {
        back = patiently(path, long, || 7);
        std::thread::yield_now();
    }
    assert_eq!(back.unwrap(), 7, "its thread has come back");
}
