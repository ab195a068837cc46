//! thermal-guard: keeps NVIDIA GPUs cool, fast and alive.

use std::process::ExitCode;

use clap::Parser;

use thermal_guard::cli::{self, Cli};

fn main() -> ExitCode {
    cli::run(&Cli::parse())
}
