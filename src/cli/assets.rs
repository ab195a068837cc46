//! What a package ships beside the program, made from the command line's own definition: shell
//! completions and man pages.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap_complete::Shell;

use super::{help, say};

const NAME: &str = "thermal-guard";

#[derive(Debug, Args)]
pub(super) struct Completions {
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Made if it isn't there.
    directory: PathBuf,
}

pub(super) fn completions(wanted: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut help::completed(), NAME, &mut script);
    say(&mended(&String::from_utf8(script)?))
}

/// What the generators get wrong of a hyphen in our name and dots in our flags. Without this no
/// command is recognized: bash looks for it under two spellings, fish refuses the flags' names.
fn mended(script: &str) -> String {
    const FISH_FLAGS: &str = "    string join \\n ";
    let line = |line: &str| match line.strip_prefix(FISH_FLAGS) {
        None => line.replace("thermal__subcmd__guard", "thermal__guard") + "\n",
        Some(flags) => {
            let flags: Vec<_> = flags
                .split(' ')
                .filter(|flag| !flag.contains('.'))
                .collect();
            format!("{FISH_FLAGS}{}\n", flags.join(" "))
        }
    };
    script.lines().map(line).collect()
}

/// A page for the program and one for each command.
pub(super) fn man(wanted: &Man) -> anyhow::Result<()> {
    let directory = &wanted.directory;
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(help::documented(), directory))
        .with_context(|| format!("no man pages in {}", directory.display()))
}
