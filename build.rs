//! Tells the binary which build it is: revision and compiler, for `thermal_guard_build_info`.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script runs programs; the guard doesn't"
)]

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=THERMAL_GUARD_REVISION");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    let revision = std::env::var("THERMAL_GUARD_REVISION").ok();
    let revision = revision.or_else(|| first_line("git", &["rev-parse", "--short=12", "HEAD"]));
    // Without git or outside a checkout (a source package): not known, and said so.
    println!(
        "cargo:rustc-env=THERMAL_GUARD_REVISION={}",
        revision.as_deref().unwrap_or("unknown")
    );
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = first_line(&rustc, &["--version"]);
    println!(
        "cargo:rustc-env=THERMAL_GUARD_RUSTC={}",
        version.as_deref().unwrap_or("unknown")
    );
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
