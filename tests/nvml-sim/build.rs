//! Generates a stub for every NVML name without a body of its own, and sets the soname.
//!
//! A library that lacks names breaks its users in ways the real one never does: nvitop prints
//! "Function Not Found" traces, nvml-wrapper panics in `Drop`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libnvidia-ml.so.1");
    println!("cargo::rerun-if-changed=symbols.txt");
    println!("cargo::rerun-if-changed=src/exports");

    let written = written_bodies(Path::new("src/exports"))?;
    let mut stubs = String::new();
    for name in fs::read_to_string("symbols.txt")?.lines() {
        if !written.contains(name) {
            let _ = writeln!(
                stubs,
                "#[unsafe(no_mangle)]\nextern \"C\" fn {name}() -> u32 {{ NOT_SUPPORTED }}\n"
            );
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("stubs.rs"), stubs)
}

/// Names with bodies in the sources of that directory: functions, and the lists given to macros,
/// one name a line.
fn written_bodies(directory: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let source = fs::read_to_string(entry?.path())?;
        for line in source.lines().map(str::trim) {
            let rest = line.strip_prefix("pub extern \"C\" fn ").unwrap_or(line);
            let name: &str = rest.split('(').next().unwrap_or(rest);
            if name.starts_with("nvml") && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                names.insert(name.to_owned());
            }
        }
    }
    Ok(names)
}
