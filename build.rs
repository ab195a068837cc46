//! Tells the binary which build it is: revision and compiler, for `--version` and
//! `thermal_guard_build_info`. Nothing here depends on the time, so that a build can be repeated.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script runs programs; the guard doesn't"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// `cargo package` puts the revision there.
const PACKAGED: &str = ".cargo_vcs_info.json";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=THERMAL_GUARD_REVISION");
    let given = std::env::var("THERMAL_GUARD_REVISION").ok();
    let given = given.filter(|revision| !revision.is_empty());
    // Not known without git, or outside a checkout.
    let revision = given.or_else(packaged).or_else(checked_out);
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    match &revision {
        Some(revision) => set("VERSION", &format!("{version} (revision {revision})")),
        None => set("VERSION", &version),
    }
    set("REVISION", revision.as_deref().unwrap_or("unknown"));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = first_line(&rustc, &["--version"]);
    set("RUSTC", compiler.as_deref().unwrap_or("unknown"));
}

fn set(name: &str, value: &str) {
    println!("cargo:rustc-env=THERMAL_GUARD_{name}={value}");
}

/// Of a source package.
fn packaged() -> Option<String> {
    let text = fs::read_to_string(PACKAGED).ok()?;
    println!("cargo:rerun-if-changed={PACKAGED}");
    let (_, rest) = text.split_once("\"sha1\"")?;
    let revision = rest.split('"').nth(1)?;
    revision.get(..12).map(str::to_owned)
}

/// Of a checkout of this repository, not of another one that it lies in.
fn checked_out() -> Option<String> {
    let top = first_line("git", &["rev-parse", "--show-toplevel"])?;
    let own = fs::canonicalize(std::env::var_os("CARGO_MANIFEST_DIR")?).ok()?;
    if fs::canonicalize(top).ok()? != own {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = first_line("git", &["rev-parse", "--git-path", name]);
        // Cargo would build again each time for a path that isn't there.
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    first_line("git", &["rev-parse", "--short=12", "HEAD"])
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
