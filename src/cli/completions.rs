//! Shell completions, generated from the definition of the command line.

use clap::{Args, Command, ValueEnum};
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};

use super::output::say;

const NAME: &str = "thermal-guard";

#[derive(Debug, Args)]
pub(crate) struct Completions {
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Fish,
    Zsh,
}

pub(crate) fn completions(wanted: &Completions, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    match wanted.shell {
        Shell::Bash => generate(Bash, &mut command, NAME, &mut script),
        Shell::Fish => generate(Fish, &mut command, NAME, &mut script),
        Shell::Zsh => generate(Zsh, &mut command, NAME, &mut script),
    }
    say(&repaired(&String::from_utf8(script)?))
}

/// Repairs the generated scripts: the generators mishandle the hyphen in the program's name and the
/// dots in its flags. Without this, no command completes: bash looks for it under two spellings, and
/// fish rejects the flags' names.
fn repaired(script: &str) -> String {
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
