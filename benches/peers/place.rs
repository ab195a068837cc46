//! Where all of it happens: a network of its own, and the programs that `make bench` installed.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in the process that is inside already.
const INSIDE: &str = "THERMAL_GUARD_BENCH_INSIDE";

/// Goes on in a network with nothing but a loopback, since all-smi listens on every address, and
/// among processes of its own, which end with this one however it ends.
pub(crate) fn enter() {
    if env::var_os(INSIDE).is_some() {
        return;
    }
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", r#"ip link set lo up && exec "$0" "$@""#])
        .args(env::args_os())
        .env(INSIDE, "yes");
    let error = unshare.exec();
    panic!("unshare (of util-linux): {error}");
}

/// A program that is no part of this repository.
pub(crate) fn tool(path: &str) -> PathBuf {
    let program = env::current_exe().expect("this program's path");
    let target = program.ancestors().nth(3).expect("target/release/deps");
    let path = target.join("bench-tools").join(path);
    let there = path.exists();
    assert!(there, "no {}: `make bench` installs it", path.display());
    path
}

/// The scripts that stand in for what people run, and for nvidia-smi.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/scripts")
}

/// `PATH` with these directories before all others.
pub(crate) fn path_with(first: &[&Path]) -> std::ffi::OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    let first = first.iter().map(|path| path.to_path_buf());
    env::join_paths(first.chain(env::split_paths(&others))).expect("a PATH")
}
